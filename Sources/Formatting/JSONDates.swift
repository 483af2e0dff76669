package import FoundationEssentials

extension JSONEncoder {
    /// An encoder that writes a `Date` as RFC 3339 has it, to the second: `"2024-11-01T12:00:00Z"`.
    package static func writingDates() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        return encoder
    }
}

extension JSONDecoder {
    /// A decoder that reads a `Date` from RFC 3339's date-time to the second, with `Z` or an offset, and nothing behind it. Its
    /// error names the member.
    package static func readingDates() -> JSONDecoder {
        let decoder = JSONDecoder()
        // The strategy `.iso8601` names no member, and ignores text behind the date.
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            if endsAsDate(text), let date = try? Date(text, strategy: .iso8601) { return date }
            let context = DecodingError.Context(codingPath: decoder.codingPath, debugDescription: "not a date")
            throw DecodingError.dataCorrupted(context)
        }
        return decoder
    }

    /// Whether behind the 19 bytes of `2024-11-01T12:00:00` there is nothing but a zone.
    private static func endsAsDate(_ text: String) -> Bool {
        let zone = text.utf8.dropFirst(19)
        return zone.count == 1 || zone.count == 6 && zone.first != 0x5A
    }
}
