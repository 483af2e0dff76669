import Platform

/// Decides whether a loop iteration waits for more statements before it sends a batch, as PostgreSQL's `commit_delay` does
/// with `commit_siblings`, and Kafka's `linger.ms`. A larger batch costs less per statement, above all for the database,
/// but the first caller waits longer.
///
/// The window opens only if the previous batch had several statements and other clients could still add to this one, and
/// only as long as waiting pays: clients whose requests are all in flight send no further ones before they are answered.
struct BatchWindow {
    /// Duration of the wait.
    static let length = Duration.microseconds(200)
    /// Statements that the previous batch must have had: a single client is not delayed.
    static let minimumBatch = 2
    /// Other descriptors that the loop must watch: with fewer, most clients are already in the batch.
    static let minimumSiblings = 8
    /// Events that a wait must bring on average to pay.
    static let minimumYield = 3.0
    /// Iterations without a wait after it has not paid.
    static let skippedIterations = 64

    /// Moving average of the events per wait.
    private var average = 0.0
    private var skipping = 0

    /// Whether an iteration that has a statement to send waits; called once per iteration.
    ///
    /// - Parameters:
    ///   - lastBatch: number of statements in the previous batch.
    ///   - watched: number of descriptors that the loop watches.
    mutating func opens(lastBatch: Int, watched: Int) -> Bool {
        guard lastBatch >= Self.minimumBatch, watched - lastBatch >= Self.minimumSiblings else { return false }
        if skipping == 0 { return true }
        skipping -= 1
        return false
    }

    /// Reports how many events a wait brought.
    mutating func closed(events: Int) {
        // The first wait after a pause starts a new average.
        average = average < Self.minimumYield ? Double(events) : average + (Double(events) - average) / 8
        if average < Self.minimumYield { skipping = Self.skippedIterations }
    }
}
