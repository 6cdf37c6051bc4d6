// Package des is the discrete-event kernel of the simulator: a virtual clock,
// an event queue and named streams of random numbers.
//
// A [Kernel] holds events and runs them one after the other in the total order
// (time, priority, sequence number). Its clock jumps from event to event, so a
// simulated day costs what its events cost. The same seed and the same calls
// give the same run on any number of workers, because a kernel shares nothing.
//
//	k := des.New(seed)
//	k.Schedule(des.Second, 0, handler, des.Event{Kind: wake})
//	k.RunUntil(des.Day)
//
// # The queue
//
// Events wait in a hierarchical timing wheel (Varghese and Lauck, "Hashed and
// hierarchical timing wheels", SOSP 1987, scheme 7) whose finest tick is one
// nanosecond. Each level has 64 slots, each as wide as a whole turn of the level
// below; nine levels cover 208 days, and what lies beyond waits in a heap.
//
//	level 2   | 0 | 1 | 2 | 3 | ...   64 slots of 4096 ns
//	level 1   | 0 | 1 | 2 | ...       64 slots of 64 ns, within one slot of level 2
//	level 0   | 0 | 1 | ...           64 slots of 1 ns, within one slot of level 1
//
// A pure wheel would move an event once per level on its way down. This one
// stops as soon as a slot holds few enough events to sort them at once, an idea
// of the ladder queue (Tang, Goh and Thng, ACM TOMACS 15(3), 2005): the slot
// becomes the run, a short sorted array that the kernel reads off. So the cost
// of an event does not depend on the tick, and nearly not on how many wait.
//
// # Streams
//
// A model draws from streams with names ("link/a/b/loss"), each seeded by a hash
// of the kernel's seed and the name. Adding a stream, or drawing more often from
// one, leaves all others as they were, which is what makes two variants of a
// scenario comparable draw by draw (common random numbers; Law, "Simulation
// Modeling and Analysis", Section 11.2).
//
// # What it does not do
//
// It knows nothing of nodes, messages or links, runs nothing in parallel and
// is not safe for concurrent use: one kernel, one goroutine. The random numbers
// are for models and must not become keys.
package des
