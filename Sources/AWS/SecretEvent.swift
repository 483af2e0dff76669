/// What happens to the secret, for whoever logs and counts it.
public enum SecretEvent: Sendable, Equatable {
    /// The first one, or another than before.
    case changed(generation: UInt64)
    /// Fetched anew, and the same as before.
    case unchanged
    /// The secret in hand is used further.
    case refreshFailed(SecretError)
    /// There is none in hand.
    case fetchFailed(SecretError)
    /// An attempt failed, and the next one comes after the pause.
    case retrying(SecretError, attempt: Int, pauseMilliseconds: Int)
}
