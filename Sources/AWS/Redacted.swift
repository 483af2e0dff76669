/// A secret text: printing, dumping, interpolating and reflecting it give `<redacted>`.
public struct Redacted: Sendable {
    /// The text itself, for the one call that needs it.
    public let exposed: String

    /// Wraps a text.
    public init(_ text: String) {
        exposed = text
    }
}

extension Redacted: Equatable {
    /// Compared byte by byte: `é` as one scalar and as two are equal texts and different passwords.
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
