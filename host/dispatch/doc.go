// Package dispatch runs the actions of all tenants: it decides whose turn it is,
// and calls the plugin.
//
//   - Dispatcher queues tasks per tenant, within bounds, and runs them on a
//     bounded number of workers. Turns are dealt by deficit round-robin on the
//     time that tasks really take, so a tenant with many or slow tasks delays
//     another by the tasks that are running and no more.
//   - Batch says which waiting tasks of a tenant a worker may do together; what they
//     take is charged to the tenant as ever.
//   - Caller runs one plugin action: it finds the plugin's slot, grant, limits and
//     settings, makes the session, and turns a reply, a fault or an error into an
//     Outcome that a workflow understands. CallBatch does so for several of one
//     kind, at once where the plugin takes them so.
//
// Full has an answer: Submit waits until the tenant's queue has room, TrySubmit
// gives ErrFull. A tenant whose queue is full delays only those who submit for it.
//
// A panic in a task is a bug of the host. It ends that task alone: it is logged
// with its stack, counted, and told to whoever waits for the task.
//
// Guest calls keep a processor busy and have deadlines in wall time, while
// requests to elsewhere mostly wait. A host therefore gives each kind a
// Dispatcher of its own: one as ForGuests says, with about as many workers as
// processors, and one with many.
//
// Everything here is safe for concurrent use.
package dispatch
