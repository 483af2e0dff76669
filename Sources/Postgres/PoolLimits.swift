extension PoolState {
    /// The bounds of one pool.
    package struct Limits: Equatable, Sendable {
        /// Connections kept open while the database is there.
        package var minimum: Int
        /// Connections open or being opened, and those that were given up while the server may still work for them. Never
        /// more, but for one beside those.
        package var maximum: Int
        /// Longest wait for a connection.
        package var waitLimit: Duration
        /// Longest run of one statement: the server ends it then.
        package var statementLimit: Duration
        /// Statements and transactions that may wait: 100 batches of the longest kind are more than a request's patience covers.
        package var queueLimit = 10_000
        /// A statement waiting this long shows that the open connections do not suffice: one more is opened.
        package var growAfter = Duration.milliseconds(5)
        /// A connection above the minimum that did nothing for this long is closed.
        package var idleLimit = Duration.seconds(60)
        /// Statements sent with one Sync: bounds how long the first of them waits for the last.
        package var batchLimit = 128
        /// Rows that they may return together: bounds what their answers take in memory, all of which are kept until the
        /// Sync. A statement that may return more is sent alone.
        package var batchRowLimit = 1000
        /// Their parameters together: libpq keeps a buffer of twice that. A statement with more is sent alone.
        package var batchParameterByteLimit = 1_048_576
        /// What they take in memory together. A statement that takes more is sent alone.
        package var batchByteLimit = Int.max

        package init(
            minimum: Int, maximum: Int, waitLimit: Duration = .seconds(3), statementLimit: Duration = .seconds(5)
        ) {
            self.minimum = minimum
            self.maximum = maximum
            self.waitLimit = waitLimit
            self.statementLimit = statementLimit
        }

        /// How often a statement that certainly did nothing is queued again. One fault often ends every connection within
        /// milliseconds; a repeat may meet each of them, and one that was opened meanwhile.
        package var repeatLimit: Int { maximum + 1 }
    }

    /// The pause before an attempt grows to this while statements come in, so that their first success comes well within a
    /// second of the server's return …
    package static let busyPauseLimit = Duration.milliseconds(500)
    /// … and to this while there are no callers.
    package static let idlePauseLimit = Duration.seconds(5)
    package static let firstPause = Duration.milliseconds(50)
    /// The first pause when the server has no connection to give (53300): others wait for one, too.
    package static let crowdedPause = Duration.milliseconds(400)
    /// An attempt that fails within this was refused or reset.
    package static let quickAttempt = Duration.milliseconds(250)
    /// When all places are those of connections that were given up for so long, one more is opened: the server that does
    /// not hear of them may be gone, and another one there.
    package static let endingPause = Duration.milliseconds(500)
    /// How often all connections may be opened anew because of what one of them met.
    package static let retirementPause = Duration.seconds(1)
    /// How often a statement for which there is no memory is looked at again.
    package static let memoryPause = Duration.milliseconds(5)
    /// A connection whose buffer has grown is closed so long afterwards, or later, when nothing runs on it then.
    package static let shrinkPause = Duration.seconds(5)
}
