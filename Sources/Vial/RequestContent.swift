import Formatting
import HTTP1
import HTTPTypes

extension Request {
    /// The refusal when the head shows that the body cannot be read as what the route requires, which is some kind of
    /// JSON; nil when it can.
    ///
    /// Returns 400 for more than one Content-Type field; 415 (RFC 9110 §15.5.16) for a type other than
    /// `application/json` or one that ends in `+json`, of a patch other than `application/merge-patch+json`; for a
    /// character set other than UTF-8, the only one of JSON (RFC 8259 §8.1); and for a content coding. A body of another
    /// kind is never decoded, converted or guessed.
    func contentRefusal(by content: App.Content) -> HTTPError? {
        guard let range = head.firstRange(of: .contentType) else { return .wrongType(for: content) }
        if head.fields.isRepeated(.contentType) {
            return HTTPError(.badRequest, "The Content-Type field occurs more than once.")
        }
        if head.fields.contains(.contentEncoding), hasContentCoding { return .contentCoding }
        // Most clients send exactly this.
        let bytes = head.bytes
        if bytes.span.extracting(range).equals("application/json") { return nil }
        return refusal(ofContentType: range, by: content)
    }

    /// Checks a Content-Type in any other spelling.
    private func refusal(ofContentType range: Range<Int>, by content: App.Content) -> HTTPError? {
        let bytes = head.bytes
        guard let type = MediaType(bytes.span.extracting(range)), type.isAccepted(as: content) else {
            return .wrongType(for: content)
        }
        let isUTF8 = type.parameters.allSatisfy { parameter in
            // US-ASCII is a subset of UTF-8.
            parameter.name != "charset" || ["utf-8", "utf8", "us-ascii"].contains(parameter.value.lowercased())
        }
        return isUTF8 ? nil : HTTPError(.unsupportedMediaType, "The body must be UTF-8.")
    }

    /// Whether a Content-Encoding names a coding; `identity` is none (RFC 9110 §12.5.3).
    private var hasContentCoding: Bool {
        head.values("Content-Encoding").joined(separator: ",").split(separator: ",").contains { element in
            let coding = element.drop { $0 == " " || $0 == "\t" }
            let isIdentity = coding.lowercased().prefix(8) == "identity"
            return !coding.isEmpty && !(isIdentity && coding.dropFirst(8).allSatisfy { $0 == " " || $0 == "\t" })
        }
    }
}

extension MediaType {
    fileprivate func isAccepted(as content: App.Content) -> Bool {
        switch content {
        case .any: true
        case .json:
            name == "application/json" || name.hasPrefix("application/") && name.hasSuffix("+json") && name.count > 17
        // Another kind of patch, such as RFC 6902's, is JSON too but means something else.
        case .mergePatch: name == "application/json" || name == "application/merge-patch+json"
        }
    }
}

extension HTTPError {
    fileprivate static func wrongType(for content: App.Content) -> HTTPError {
        guard content == .mergePatch else {
            var error = HTTPError(.unsupportedMediaType, "The body must be application/json.")
            error.fields.append(known: "Accept", "application/json")
            return error
        }
        var error = HTTPError(.unsupportedMediaType, "The body must be application/merge-patch+json.")
        // RFC 5789 §2.2.
        error.fields.append(known: "Accept-Patch", "application/merge-patch+json")
        return error
    }

    // RFC 7694 §3: this field says that the coding was the reason, so no other 415 has it.
    fileprivate static var contentCoding: HTTPError {
        var error = HTTPError(.unsupportedMediaType, "The body must have no content coding.")
        error.fields.append(known: "Accept-Encoding", "identity")
        return error
    }
}
