package server

// replicaWait is a client that waits until replicas have what it has written.
type replicaWait struct {
	offset int64
	n      int64
	onDisk bool
	end    func()
}

// ReplicasAt implements command.Server.
func (s *Server) ReplicasAt(offset int64, onDisk bool) (n int64) {
	for _, a := range *s.source.list.Load() {
		at := &a.acked
		if onDisk {
			at = &a.synced
		}
		if a.state() == online && at.Load() >= offset {
			n++
		}
	}
	return n
}

// AwaitReplicas implements command.Server. Replicas are asked to tell at once how far they
// are.
func (s *Server) AwaitReplicas(offset, n int64, onDisk bool, end func()) (stop func()) {
	src := &s.source
	w := &replicaWait{offset, n, onDisk, end}
	src.mu.Lock()
	src.mu.waits[w] = struct{}{}
	src.mu.Unlock()
	s.askReplicas()
	if s.ReplicasAt(offset, onDisk) >= n { // an ACK has come before it waited
		end()
	}
	return func() {
		src.mu.Lock()
		delete(src.mu.waits, w)
		src.mu.Unlock()
	}
}

// acknowledged tells the waits that have what they wait for.
func (s *Server) acknowledged() {
	s.replicaMoved()
	src := &s.source
	var done []*replicaWait
	src.mu.Lock()
	for w := range src.mu.waits {
		if s.ReplicasAt(w.offset, w.onDisk) >= w.n {
			done = append(done, w)
		}
	}
	src.mu.Unlock()
	for _, w := range done { // which may call stop
		w.end()
	}
}
