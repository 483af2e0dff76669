/// Events of the secret, for logs and metrics.
public enum SecretEvent: Sendable, Equatable {
    /// The first secret, or one that differs from the previous one.
    case changed(generation: UInt64)
    /// The fetched secret equals the previous one.
    case unchanged
    /// The previous secret stays in use.
    case refreshFailed(SecretError)
    /// There is no previous secret.
    case fetchFailed(SecretError)
    /// An attempt failed, and the next one follows after the pause.
    case retrying(SecretError, attempt: Int, pause: Duration)
}
