// File profiled.go writes a CPU profile of its process when the environment asks for one. A build of
// the queue-worker that is to be profiled has this file laid over its main package.

package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

func init() {
	file := os.Getenv("bench_profile")
	if file == "" {
		return
	}
	if err := profileTo(file); err != nil {
		fmt.Fprintln(os.Stderr, "bench_profile:", err)
		os.Exit(1)
	}
}

// profileTo profiles until SIGUSR1. The file has its name when it is complete.
func profileTo(file string) error {
	f, err := os.Create(file + ".part")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGUSR1)
	go func() {
		<-stop
		pprof.StopCPUProfile()
		err := f.Close()
		if err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench_profile:", err)
		}
	}()
	return nil
}
