extension PoolState {
    /// The bounds of one pool.
    package struct Limits: Equatable, Sendable {
        /// Connections kept open while the database is available.
        package var minimum: Int
        /// Connections open or being opened, plus those given up while the server may still run their statements.
        /// Exceeded by one only if all are of the latter kind.
        package var maximum: Int
        /// Longest wait for a connection.
        package var waitLimit: Duration
        /// Longest run of one statement, after which the server cancels it.
        package var statementLimit: Duration
        /// Statements and transactions that may wait. 100 batches of the longest kind take longer than any request
        /// waits.
        package var queueLimit = 10_000
        /// When a statement has waited this long, the open connections do not suffice and one more is opened.
        package var growAfter = Duration.milliseconds(5)
        /// A connection above the minimum is closed after being idle for this long.
        package var idleLimit = Duration.seconds(60)
        /// Statements sent with one Sync. Bounds how long the first of them waits for the last.
        package var batchLimit = 128
        /// Rows that the statements of one batch may return together. Bounds the memory of their answers, which are all
        /// kept until the Sync. A statement that may return more is sent alone.
        package var batchRowLimit = 1000
        /// Bytes of the parameters of one batch: libpq keeps a buffer of twice that size. A statement with more is sent
        /// alone.
        package var batchParameterByteLimit = 1_048_576
        /// Memory that one batch may take. A statement that takes more is sent alone.
        package var batchByteLimit = Int.max

        package init(
            minimum: Int, maximum: Int, waitLimit: Duration = .seconds(3), statementLimit: Duration = .seconds(5)
        ) {
            self.minimum = minimum
            self.maximum = maximum
            self.waitLimit = waitLimit
            self.statementLimit = statementLimit
        }

        /// Repeats of a statement that certainly had no effect. One fault often ends every connection within
        /// milliseconds; a repeat may land on each of them and on one newly opened connection.
        package var repeatLimit: Int { maximum + 1 }
    }

    /// Upper limit of the pause between attempts while statements come in, so that the first one succeeds well within a
    /// second of the server's return.
    package static let busyPauseLimit = Duration.milliseconds(500)
    /// Upper limit of that pause while there are no callers.
    package static let idlePauseLimit = Duration.seconds(5)
    package static let firstPause = Duration.milliseconds(50)
    /// The first pause when the server is out of connections (SQLSTATE 53300): other clients wait for one, too.
    package static let crowdedPause = Duration.milliseconds(400)
    /// A failure within this time means that the attempt was refused or reset.
    package static let quickAttempt = Duration.milliseconds(250)
    /// When all places have been held for this long by connections that were given up, one more is opened: the server
    /// that does not receive the cancel requests may be gone, and another one may have replaced it.
    package static let endingPause = Duration.milliseconds(500)
    /// Minimum interval between two retirements of all connections because of what one of them met.
    package static let retirementPause = Duration.seconds(1)
    /// Interval between two tries to send a statement for which there is no memory.
    package static let memoryPause = Duration.milliseconds(5)
    /// Time after which a connection with an oversized buffer is closed; later if it is in use then.
    package static let shrinkPause = Duration.seconds(5)
}
