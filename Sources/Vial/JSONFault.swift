import FoundationEssentials
import HTTPTypes

extension HTTPError {
    /// A body that could not be decoded: 400 when it is not JSON, 422 when it is JSON of another shape.
    init(_ error: DecodingError, body: [UInt8]) {
        switch error {
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            self.init(.badRequest, "the body is not JSON: \(Self.position(of: context, in: body))")
        case .dataCorrupted(let context):
            self.init(field: Self.path(context.codingPath), "is not valid")
        case .keyNotFound(let key, let context):
            self.init(field: Self.path(context.codingPath + [key]), "is required")
        case .valueNotFound(_, let context):
            self.init(field: Self.path(context.codingPath), "must not be null")
        case .typeMismatch(let type, let context):
            self.init(field: Self.path(context.codingPath), "must be \(Self.name(of: type))")
        @unknown default:
            self.init(.unprocessableContent, "the body has another shape than expected")
        }
    }

    private init(field: String, _ message: String) {
        if field.isEmpty {
            self.init(.unprocessableContent, "the body \(message)")
        } else {
            self.init(
                .unprocessableContent, "the body breaks a rule", errors: [FieldError(field: field, message: message)])
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.map(\.stringValue).joined(separator: ".")
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "a boolean"
        case is any FixedWidthInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [String: Any].Type: "an object"
        default: "of another type"
        }
    }

    /// Where the decoder gave up: it says so only in words, "… around line 1, column 5.", so the words are looked for.
    private static func position(of context: DecodingError.Context, in body: [UInt8]) -> String {
        if body.isEmpty { return "it is empty" }
        let words = context.underlyingError.map { "\($0)" } ?? ""
        if let line = number(after: "line", in: words), let column = number(after: "column", in: words) {
            return "unexpected text at line \(line), column \(column)"
        }
        if words.contains("unexpectedEndOfFile") || words.contains("Unexpected end of file") {
            return "it ends unexpectedly after \(body.count) bytes"
        }
        return "unexpected text"
    }

    private static func number(after word: String, in text: String) -> Int? {
        guard let range = text.firstRange(of: word) else { return nil }
        let digits = text[range.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }
        return Int(digits)
    }
}
