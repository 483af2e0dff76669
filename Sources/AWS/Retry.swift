/// How often a request is tried, and how long after the last attempt.
enum Retry {
    /// As the AWS SDKs' standard mode: the first attempt and two more.
    static let attemptLimit = 3

    /// The longest first pause; each further one may be twice as long.
    static let firstPauseMilliseconds = 500

    /// Full jitter: anything from nothing to the longest pause, so that a fleet that was throttled together does not
    /// come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
    ///
    /// - Parameters:
    ///   - attempt: the one that failed, from 1.
    ///   - fraction: from 0 up to 1.
    static func pauseMilliseconds(afterAttempt attempt: Int, fraction: Double) -> Int {
        precondition(1..<attemptLimit ~= attempt && 0..<1 ~= fraction, "a pause after attempt \(attempt), \(fraction)")
        return Int(Double(firstPauseMilliseconds << (attempt - 1)) * fraction)
    }
}
