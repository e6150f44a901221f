// File ports.go lists the ports where no receiver of callbacks listens.

package egress

// badPorts are the ports of other protocols. A service behind one of them may take
// lines of an HTTP request for commands, or gives everything to those who reach it.
var badPorts = portSet(
	// Ports that browsers refuse, of the Fetch standard (port blocking).
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
	101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
	389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
	636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
	6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,

	2375,  // Docker
	2379,  // etcd
	3306,  // MySQL
	4222,  // NATS
	5432,  // PostgreSQL
	6379,  // Redis
	9042,  // Cassandra
	10250, // kubelet
	11211, // memcached
	27017, // MongoDB
)

func portSet(ports ...uint16) map[uint16]bool {
	set := make(map[uint16]bool, len(ports))
	for _, p := range ports {
		set[p] = true
	}
	return set
}
