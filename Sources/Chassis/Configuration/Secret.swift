/// A text that must never be seen: printing, dumping, interpolating and reflecting it give `<redacted>`.
public struct Secret: Sendable, Equatable {
    /// What every rendering of a secret looks like.
    public static let redacted = "<redacted>"

    /// The text itself, for the call that needs it and nobody else.
    public let exposed: String

    /// Wraps a text.
    public init(_ text: String) {
        exposed = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `<redacted>`
    public var description: String { Self.redacted }
    /// `<redacted>`
    public var debugDescription: String { Self.redacted }
    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
