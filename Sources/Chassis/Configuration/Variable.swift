import HTTP1
import Reactor
import Vial

/// One environment variable: its name, its accepted values, its meaning.
public struct Variable: Sendable {
    /// The value of a variable that is unset or empty.
    public enum Default: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
        /// No value: the feature is off, or the value comes from elsewhere.
        case none
        /// This text, as if it were set.
        case text(String)
        /// Determined when the process starts; described in words.
        case computed(String)

        /// This number, as if it were set.
        public static func number(_ number: Int) -> Default { .text(String(number)) }

        public init(stringLiteral value: String) { self = .text(value) }
        public init(nilLiteral: ()) { self = .none }
    }

    /// The accepted values; only those of a password may have control characters.
    public enum Kind: Sendable, Equatable {
        case text
        /// Any text, including control characters: it is passed on and never printed.
        case password
        /// 1 to 64 letters, digits, `.`, `_` and `-`: valid in log fields and metric labels.
        case label
        /// Decimal digits without a sign, in this range.
        case integer(ClosedRange<Int>)
        /// Port numbers from 1 to 65535 separated by commas, without spaces.
        case ports
        /// `0`, `1`, `true` or `false`.
        case flag
        /// One of these, in upper or lower case.
        case choice([String])
        /// An absolute http or https URL.
        case url
        /// An address to listen on, or `localhost`.
        case address
        /// Empty, or an absolute path.
        case prefix
        /// Absolute paths separated by commas, or `none`.
        case paths
        /// Networks separated by commas, or `none`.
        case networks
        /// Origins of pages separated by commas, or `none`.
        case origins
        /// A readable file.
        case file

        /// Milliseconds, at least one; more than an hour is a mistake of units, because no timeout needs it.
        public static let timeout = Kind.integer(1...3_600_000)
        /// As `timeout`, and 0.
        public static let delay = Kind.integer(0...3_600_000)
    }

    /// As in the environment.
    public let name: String
    public let kind: Kind
    public let `default`: Default
    /// One sentence for people; docs/configuration.md says more.
    public let meaning: String
    /// Only whether it is set is shown, never its value.
    public let isSecret: Bool

    /// - Parameters:
    ///   - name: as in the environment.
    ///   - standard: a valid value, or none.
    ///   - isSecret: whether its value is never shown.
    ///   - meaning: one sentence for people.
    public init(
        _ name: String, _ kind: Kind, default standard: Default = .none, secret isSecret: Bool = false,
        _ meaning: String
    ) {
        self.name = name
        self.kind = kind
        self.default = standard
        self.meaning = meaning
        self.isSecret = isSecret
    }

    /// The value of `text`, or an error. The error never contains the value of a secret.
    func parse(_ text: String) throws(Problem) -> Value {
        if kind == .password { return .text(text) }
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw Problem("must not contain control characters")
        }
        switch kind {
        case .text, .password:
            return .text(text)
        case .label:
            guard text.utf8.count <= 64, text.utf8.allSatisfy(isLabelByte) else {
                throw Problem("must be 1 to 64 letters, digits, '.', '_' or '-'")
            }
            return .text(text)
        case .integer(let range):
            guard let number = plainDecimal(text[...]), range.contains(number) else {
                throw Problem("must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return .integer(number)
        case .ports:
            let ports = text.split(separator: ",", omittingEmptySubsequences: false)
            guard ports.allSatisfy({ (1...65_535).contains(plainDecimal($0) ?? 0) }) else {
                throw Problem("must be a whole number from 1 to 65535, or several separated by commas")
            }
            return .text(text)
        case .flag:
            switch text {
            case "1", "true": return .flag(true)
            case "0", "false": return .flag(false)
            default: throw Problem("must be 0, 1, true or false")
            }
        case .choice(let choices):
            let lowercased = text.lowercased()
            guard choices.contains(lowercased) else {
                throw Problem("must be one of \(choices.joined(separator: ", "))")
            }
            return .text(lowercased)
        case .url:
            let scheme = ["http://", "https://"].first { text.hasPrefix($0) }
            guard let scheme, text.utf8.count > scheme.utf8.count, !text.contains(" ") else {
                throw Problem("must be a URL that begins with http:// or https://")
            }
            return .text(text)
        case .address:
            // The listener takes numeric addresses only: a name could have several addresses, and none while DNS is
            // away.
            if text == "localhost" { return .text("127.0.0.1") }
            guard let address = IPAddress(text) else { throw Problem("must be an IPv4 or IPv6 address, or localhost") }
            return .text("\(address)")
        case .prefix:
            let trimmed = withoutTrailingSlashes(text)
            guard trimmed.isEmpty || isAbsolutePath(trimmed) else { throw Problem("must be an absolute path like /x") }
            return .text(trimmed)
        case .paths:
            let paths = elements(text)
            // A path with a slash at its end is a different path, and no route has one.
            guard paths.allSatisfy({ isAbsolutePath($0) && ($0 == "/" || !$0.hasSuffix("/")) }) else {
                throw Problem("must be absolute paths without a trailing slash, separated by commas, or none")
            }
            return .texts(paths)
        case .networks:
            do {
                return .networks(try TrustedProxies(elements(text)))
            } catch {
                throw Problem(
                    "must be networks like 10.0.0.0/8 separated by commas, or none: '\(error.text)' is not")
            }
        case .origins:
            let elements = elements(text)
            let origins = elements.compactMap(Origin.init)
            guard origins.count == elements.count else {
                throw Problem("must be origins like https://app.example.com, separated by commas, or none")
            }
            guard origins.count <= CrossOrigin.originLimit else {
                throw Problem("must be at most \(CrossOrigin.originLimit) origins")
            }
            return .origins(origins)
        case .file:
            guard isReadableFile(text) else { throw Problem("must name a readable file") }
            return .text(text)
        }
    }

    /// An error in a value, as the end of a sentence that begins with the variable.
    struct Problem: Error {
        let text: String

        init(_ text: String) {
            self.text = text
        }
    }

    /// A parsed value; its case follows from the kind.
    enum Value: Sendable {
        case text(String)
        case integer(Int)
        case flag(Bool)
        case texts([String])
        case networks(TrustedProxies)
        case origins([Origin])

        /// The value in force, which may differ from the given text.
        func rendered(given: String) -> String {
            switch self {
            case .text(let text): text
            case .integer(let number): String(number)
            case .flag(let flag): flag ? "1" : "0"
            case .texts, .networks, .origins: given
            }
        }
    }
}

/// `Int("+5")` is 5, so the digits are checked before they are converted.
func plainDecimal(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    return Int(text)
}

/// The parts between commas without surrounding spaces; `none` has no part.
private func elements(_ text: String) -> [String] {
    if text == "none" { return [] }
    return text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        let head = part.drop { $0 == " " }
        return String(head.prefix(head.count - head.reversed().prefix { $0 == " " }.count))
    }
}

private func withoutTrailingSlashes(_ text: String) -> String {
    var rest = text[...]
    while rest.last == "/" { rest.removeLast() }
    return String(rest)
}

/// A path of RFC 3986 §3.3 without percent signs, empty segments and dot segments: nothing that a router or a client
/// could read in two ways.
private func isAbsolutePath(_ text: String) -> Bool {
    guard text.utf8.first == 0x2F else { return false }
    return text.utf8.allSatisfy { isLabelByte($0) || $0 == 0x2F || $0 == 0x7E } && !text.contains("//")
        && !text.split(separator: "/").contains { $0 == "." || $0 == ".." }
}

private func isLabelByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
    default: false
    }
}
