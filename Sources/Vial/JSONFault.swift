import FoundationEssentials
import HTTPTypes

extension HTTPError {
    /// The response to well-formed JSON of the wrong shape: 422 with the field, as far as the decoder names it.
    init(_ error: DecodingError) {
        switch error {
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            // The body has passed `JSONSyntax`, so only numbers such as 1.5 for an integer are left.
            self.init(.unprocessableContent, "A number in the body is out of range or not a whole number.")
        case .dataCorrupted(let context):
            self.init(context.codingPath, "is not valid")
        case .keyNotFound(let key, let context):
            self.init(context.codingPath + [key], "is required")
        case .valueNotFound(_, let context):
            self.init(context.codingPath, "must not be null")
        case .typeMismatch(let type, let context):
            self.init(context.codingPath, "must be \(Self.name(of: type))")
        @unknown default:
            self.init(.unprocessableContent, "The body does not have the expected shape.")
        }
    }

    private init(_ keys: [any CodingKey], _ message: String) {
        // Array positions count from 0.
        let names = keys.map { key in key.intValue.map(String.init) ?? key.stringValue }
        if names.isEmpty {
            self.init(.unprocessableContent, "The body \(message).")
        } else {
            self.init(
                .unprocessableContent, "The body breaks a rule.", errors: [FieldError(path: names, message: message)])
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "a boolean"
        case is any FixedWidthInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [String: Any].Type: "an object"
        case is [Any].Type: "an array"
        default: "of a different type"
        }
    }
}
