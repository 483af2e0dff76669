import Formatting
import HTTP1
import HTTPTypes

extension Request {
    /// Why the head says that the body cannot be read as JSON; nil when it can be.
    ///
    /// 400 for two Content-Type fields, equal or not; 415 (RFC 9110 §15.5.16) for any type but `application/json` and those
    /// that end in `+json`, for another character set than UTF-8, which is JSON's only one (RFC 8259 §8.1) though other
    /// readers obey the parameter, and for a content coding. A body of any other kind is not decoded, converted or guessed.
    var contentRefusal: HTTPError? {
        guard let range = head.firstRange(of: .contentType) else { return .notJSON }
        if head.fields.isRepeated(.contentType) {
            return HTTPError(.badRequest, "The Content-Type field occurs more than once.")
        }
        if head.fields.contains(.contentEncoding), hasContentCoding { return .contentCoding }
        // What most clients send, as they send it.
        let bytes = head.bytes
        if bytes.span.extracting(range).equals("application/json") { return nil }
        return refusal(ofContentType: range)
    }

    /// The same of a Content-Type that is written in another way than usual.
    private func refusal(ofContentType range: Range<Int>) -> HTTPError? {
        let bytes = head.bytes
        guard let type = MediaType(bytes.span.extracting(range)), type.isJSON else { return .notJSON }
        let isUTF8 = type.parameters.allSatisfy { parameter in
            // US-ASCII is a part of UTF-8.
            parameter.name != "charset" || ["utf-8", "utf8", "us-ascii"].contains(parameter.value.lowercased())
        }
        return isUTF8 ? nil : HTTPError(.unsupportedMediaType, "The body must be UTF-8.")
    }

    /// Whether a Content-Encoding names any coding; `identity` is none (RFC 9110 §12.5.3).
    private var hasContentCoding: Bool {
        head.values("Content-Encoding").joined(separator: ",").split(separator: ",").contains { element in
            let coding = element.drop { $0 == " " || $0 == "\t" }
            let isIdentity = coding.lowercased().prefix(8) == "identity"
            return !coding.isEmpty && !(isIdentity && coding.dropFirst(8).allSatisfy { $0 == " " || $0 == "\t" })
        }
    }
}

extension MediaType {
    fileprivate var isJSON: Bool {
        name == "application/json" || name.hasPrefix("application/") && name.hasSuffix("+json") && name.count > 17
    }
}

extension HTTPError {
    fileprivate static var notJSON: HTTPError {
        var error = HTTPError(.unsupportedMediaType, "The body must be application/json.")
        error.fields.append(known: "Accept", "application/json")
        return error
    }

    // RFC 7694 §3: this field says that the coding was the reason, so no other 415 has it.
    fileprivate static var contentCoding: HTTPError {
        var error = HTTPError(.unsupportedMediaType, "The body must have no content coding.")
        error.fields.append(known: "Accept-Encoding", "identity")
        return error
    }
}
