/// Number of attempts of a request, and the pauses between them.
enum Retry {
    /// As in the AWS SDKs' standard mode: the first attempt and two more.
    static let attemptLimit = 3

    /// The longest first pause; the bound of each further pause is twice as long.
    static let firstPause = Duration.milliseconds(500)

    /// Full jitter: a random pause from 0 to the bound, so that a fleet that was throttled together does not retry
    /// together (AWS Architecture Blog, "Exponential Backoff And Jitter").
    ///
    /// - Parameters:
    ///   - attempt: the failed attempt, from 1.
    ///   - fraction: from 0 up to 1.
    static func pause(afterAttempt attempt: Int, fraction: Double) -> Duration {
        precondition(
            1..<attemptLimit ~= attempt && 0..<1 ~= fraction,
            "no pause follows attempt \(attempt), or \(fraction) is not at least 0 and below 1")
        return firstPause * (1 << (attempt - 1)) * fraction
    }
}
