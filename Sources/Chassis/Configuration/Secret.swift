/// A secret text: printing, dumping, interpolating and reflecting it give `<redacted>`.
public struct Secret: Sendable, Equatable {
    /// The rendering of every secret.
    public static let redacted = "<redacted>"

    /// The text itself, for the one call that needs it.
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
