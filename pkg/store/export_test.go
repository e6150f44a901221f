package store

// Raced tells that the race detector runs.
const Raced = raced
