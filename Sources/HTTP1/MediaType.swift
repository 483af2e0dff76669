/// A media type as in a Content-Type field, RFC 9110 §8.3.1: `application/json; charset="utf-8"`.
public struct MediaType: Equatable, Sendable {
    /// One parameter: its name in lower case, and its value without quotes and their escapes.
    public struct Parameter: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    /// Type and subtype in lower case: `application/json`.
    public let name: String
    /// In order, including duplicates.
    public let parameters: [Parameter]

    /// Nil for a text that breaks the grammar, which two readers may take for two types.
    public init?(_ text: Span<UInt8>) {
        var reader = Reader(text)
        guard let type = reader.token(), reader.take(0x2F), let subtype = reader.token() else { return nil }
        name = "\(type)/\(subtype)".lowercased()
        var parameters: [Parameter] = []
        while reader.skipBlanks() {
            guard reader.take(0x3B) else { return nil }
            // A semicolon may be followed by nothing (RFC 9110 §5.6.6).
            guard reader.skipBlanks(), !reader.isAt(0x3B) else { continue }
            guard let name = reader.token(), reader.take(0x3D),
                let value = reader.isAt(0x22) ? reader.quoted() : reader.token()
            else { return nil }
            parameters.append(Parameter(name: name.lowercased(), value: value))
        }
        self.parameters = parameters
    }

    private struct Reader: ~Escapable {
        private let text: Span<UInt8>
        private var position = 0

        @_lifetime(copy text)
        init(_ text: Span<UInt8>) {
            self.text = text
        }

        func isAt(_ byte: UInt8) -> Bool { position < text.count && text[position] == byte }

        mutating func take(_ byte: UInt8) -> Bool {
            guard isAt(byte) else { return false }
            position += 1
            return true
        }

        /// Returns whether more text follows.
        mutating func skipBlanks() -> Bool {
            while position < text.count, Grammar.isBlank(text[position]) { position += 1 }
            return position < text.count
        }

        mutating func token() -> String? {
            let start = position
            position = Grammar.end(of: Grammar.token, in: text, from: start, to: text.count)
            if position == start { return nil }
            var token = ""
            for index in start..<position { token.unicodeScalars.append(Unicode.Scalar(text[index])) }
            return token
        }

        /// `"…"`, RFC 9110 §5.6.4; nil when it is not closed. Bytes above 0x7F become U+0080 to U+00FF.
        mutating func quoted() -> String? {
            position += 1
            var value = ""
            while position < text.count {
                var byte = text[position]
                position += 1
                if byte == 0x22 { return value }
                if byte == 0x5C {
                    guard position < text.count else { return nil }
                    byte = text[position]
                    position += 1
                }
                value.unicodeScalars.append(Unicode.Scalar(byte))
            }
            return nil
        }
    }
}
