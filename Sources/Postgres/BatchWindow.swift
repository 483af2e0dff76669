import Platform

/// When a loop iteration waits a moment for more statements before it sends a batch, as PostgreSQL's `commit_delay` does with
/// `commit_siblings` and Kafka's `linger.ms`: a batch costs the less for each statement the more it has, and the database above all, but
/// the first caller waits for the last.
///
/// The window opens only where the batch before had several statements and other clients could still add to this one, and only as long
/// as waiting pays: clients whose requests are all in flight send no other before they are answered.
struct BatchWindow {
    /// How long an iteration waits.
    static let length = Duration.microseconds(200)
    /// Statements that the batch before had to have: a statement that comes alone is not kept waiting.
    static let minimumBatch = 2
    /// Other descriptors that the loop has to watch: with fewer, most clients are in the batch already.
    static let minimumSiblings = 8
    /// Events that a wait has to bring, on average, to pay.
    static let minimumYield = 3.0
    /// Iterations that do not wait once it does not pay.
    static let skippedIterations = 64

    /// What the last waits brought, the latest counting most.
    private var average = 0.0
    private var skipping = 0

    /// Whether an iteration waits that has a statement to send; asked once in each.
    ///
    /// - Parameters:
    ///   - lastBatch: how many statements were sent together the last time.
    ///   - watched: descriptors that the loop watches.
    mutating func opens(lastBatch: Int, watched: Int) -> Bool {
        guard lastBatch >= Self.minimumBatch, watched - lastBatch >= Self.minimumSiblings else { return false }
        if skipping == 0 { return true }
        skipping -= 1
        return false
    }

    /// A wait brought so many events.
    mutating func closed(events: Int) {
        // The first after a pause stands for itself.
        average = average < Self.minimumYield ? Double(events) : average + (Double(events) - average) / 8
        if average < Self.minimumYield { skipping = Self.skippedIterations }
    }
}
