/// A text that must never be seen: printing, dumping, interpolating and reflecting it give `<redacted>`.
public struct Redacted: Sendable {
    /// The text itself, for the call that needs it and nobody else.
    public let exposed: String

    /// Wraps a text.
    public init(_ text: String) {
        exposed = text
    }
}

extension Redacted: Equatable {
    /// Byte for byte: `é` in one scalar and in two are equal texts and different passwords.
    public static func == (left: Redacted, right: Redacted) -> Bool {
        left.exposed.utf8.elementsEqual(right.exposed.utf8)
    }
}

extension Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `<redacted>`
    public var description: String { "<redacted>" }
    /// `<redacted>`
    public var debugDescription: String { description }
    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
