import CCurl

/// The parts of a URL that the code decides on, parsed by the parser that also makes the connection.
struct WebAddress: Equatable {
    let isEncrypted: Bool
    /// In lower case; an IPv6 address without its brackets, an IPv4 address in its usual form.
    let host: String

    /// Refuses everything but http and https URLs, and URLs with a user name or password, which hide the host from a
    /// reader.
    init(_ text: String) throws(TransferError) {
        guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }), let url = unsafe curl_url() else { throw .invalidURL }
        defer { unsafe curl_url_cleanup(url) }
        guard unsafe curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK else { throw .invalidURL }
        func part(_ part: CURLUPart) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            // The text is copied before it is freed.
            guard unsafe curl_url_get(url, part, &text, 0) == CURLUE_OK, let text = unsafe text else { return nil }
            defer { unsafe curl_free(text) }
            return unsafe String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME), ["http", "https"].contains(scheme),
            part(CURLUPART_USER) == nil, part(CURLUPART_PASSWORD) == nil,
            let host = part(CURLUPART_HOST), !host.isEmpty
        else { throw .invalidURL }
        isEncrypted = scheme == "https"
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()).lowercased() : host.lowercased()
    }
}
