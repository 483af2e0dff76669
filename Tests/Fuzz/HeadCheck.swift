import HTTP1

/// Parses an accepted head a second time, simply and slowly; must give the same result.
///
/// Request smuggling needs two parsers that disagree about a head, so an accepted head must have one meaning.
func checkHead(_ head: RequestHead, _ limits: Limits) {
    var lines = splitLines(head.bytes)
    require(lines.removeLast().isEmpty, "a head ends with a line end")
    require(lines.removeLast().isEmpty, "a head ends with an empty line")
    if lines.first?.isEmpty == true { lines.removeFirst() }
    let authority = checkRequestLine(lines.removeFirst(), head)

    require(lines.count == head.fields.count, "there is a field for each line")
    require(lines.count <= limits.fieldCountLimit, "the fields are within their limit")
    require(lines.reduce(0) { $0 + $1.count } <= limits.headByteLimit, "the field lines are within their limit")
    var values: [KnownField: [String]] = [:]
    for (line, field) in zip(lines, head.fields) {
        require(line.count <= Limits.fieldLineByteLimit, "a field line is within its limit")
        let name = line.prefix { $0 != 0x3A }
        require(!name.isEmpty && name.allSatisfy(isTokenByte), "a field's name is a token")
        require(name.indices == field.name, "a field's name is what stands before the colon")
        let value = trim(line.dropFirst(name.count + 1))
        require(value.indices == field.value, "a field's value is what stands behind the colon, trimmed")
        require(
            value.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, "a field's value has no control characters")
        let known = knownFields[String(decoding: name, as: UTF8.self).lowercased()]
        require(known == field.known, "a field is recognised by its name alone")
        if let known { values[known, default: []].append(String(decoding: value, as: UTF8.self)) }
    }
    for known in KnownField.allCases {
        require(head.count(of: known) == values[known]?.count ?? 0, "fields are counted by their names")
        require(head.firstRange(of: known).map { head.string($0) } == values[known]?.first, "the first field is found")
        require(head.lastRange(of: known).map { head.string($0) } == values[known]?.last, "the last field is found")
    }
    checkHost(values[.host] ?? [], authority, head)
    checkFraming(values, head, limits)
    let tokens = (values[.connection] ?? []).flatMap { $0.split(separator: ",") }
        .map { String(decoding: trim(Array($0.utf8)[...]), as: UTF8.self).lowercased() }
    require(
        head.keepAlive == (!tokens.contains("close") && (head.isHTTP11 || tokens.contains("keep-alive"))),
        "a connection stays open when both version and Connection fields let it")
    let expectations = head.isHTTP11 ? values[.expect] ?? [] : []
    require(expectations.allSatisfy { $0.lowercased() == "100-continue" }, "no expectation but one is accepted")
    require(head.expectsContinue == !expectations.isEmpty, "an expectation is noticed")
}

private func splitLines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    for index in bytes.indices where bytes[index] == 0x0A {
        require(index > start && bytes[index - 1] == 0x0D, "every LF of a head ends a line together with a CR")
        lines.append(bytes[start..<(index - 1)])
        start = index + 1
    }
    lines.append(bytes[start...])
    require(!lines.contains { $0.contains(0x0D) }, "every CR of a head ends a line together with an LF")
    return lines
}

/// The authority of an absolute target, and the default port of its scheme.
private struct Authority {
    let text: ArraySlice<UInt8>
    let schemePort: Int

    /// A host with its port as a number, in lower case; equal for equivalent authorities.
    static func normal(_ text: String, schemePort: Int) -> String {
        let text = text.lowercased()
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") else { return "\(text):\(schemePort)" }
        let digits = text[colon...].dropFirst()
        return "\(text[..<colon]):\(digits.isEmpty ? schemePort : Int(digits) ?? -1)"
    }
}

/// Returns the authority of an absolute target.
private func checkRequestLine(_ line: ArraySlice<UInt8>, _ head: RequestHead) -> Authority? {
    require(line.count <= Limits.requestLineByteLimit, "a request line is within its limit")
    let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
    require(parts.count == 3, "a request line has two spaces")
    require(parts[0].indices == head.method, "the method is what stands before the first space")
    require(!parts[0].isEmpty && parts[0].count <= Limits.methodByteLimit, "a method is within its limit")
    require(parts[0].allSatisfy(isTokenByte), "a method is a token")
    let version = String(decoding: parts[2], as: UTF8.self)
    require(
        version.utf8.count == 8 && version.hasPrefix("HTTP/1.")
            && parts[2].last.map { (0x30...0x39).contains($0) } == true,
        "a version is HTTP/1 and a digit")
    require(head.isHTTP11 == (version != "HTTP/1.0"), "the version is the line's")

    let target = parts[1]
    require(target.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }, "a target is visible and has no fragment")
    var rest = target
    var authority: Authority?
    let method = head.string(head.method)
    require(method != "CONNECT", "CONNECT is refused")
    if target.first != 0x2F, target.first != 0x2A {
        let text = String(decoding: target, as: UTF8.self).lowercased()
        require(text.hasPrefix("http://") || text.hasPrefix("https://"), "an absolute target is an http URI")
        rest = target.dropFirst(text.hasPrefix("https://") ? 8 : 7)
        let found = rest.prefix { $0 != 0x2F && $0 != 0x3F }
        require(!found.isEmpty && !found.contains(0x40), "an authority is a host")
        authority = Authority(text: found, schemePort: text.hasPrefix("https://") ? 443 : 80)
        rest = rest.dropFirst(found.count)
    }
    let path = rest.prefix { $0 != 0x3F }
    require(path.indices == head.path, "the path is what stands before the question mark")
    require(
        path.first == 0x2F || path.elementsEqual("*".utf8) && method == "OPTIONS" || path.isEmpty && authority != nil,
        "a path begins with a slash")
    require(head.pathHasPercent == path.contains(0x25), "escapes in a path are noticed")
    for index in path.indices where path[index] == 0x25 {
        require(
            index + 2 < path.endIndex && isHexDigit(path[index + 1]) && isHexDigit(path[index + 2]),
            "the escapes of an accepted path are well-formed")
        require(path[index + 1] != 0x30 || path[index + 2] != 0x30, "an accepted path has no encoded null")
    }
    let query = path.endIndex < rest.endIndex ? (path.endIndex + 1)..<rest.endIndex : nil
    require(query == head.query, "the query is what stands behind the question mark")
    return authority
}

private func checkHost(_ hosts: [String], _ authority: Authority?, _ head: RequestHead) {
    require(hosts.count <= 1, "an accepted head has at most one host")
    require(hosts.count == 1 || !head.isHTTP11, "an accepted head of HTTP/1.1 has a host")
    guard let host = hosts.first else { return }
    let forbidden = host.utf8.contains { $0 <= 0x20 || $0 >= 0x7F || "/?#@\\\"<>^`{|}".utf8.contains($0) }
    require(!host.isEmpty && !forbidden, "a host has no character that another reader would end it at")
    if let authority {
        let named = Authority.normal(String(decoding: authority.text, as: UTF8.self), schemePort: authority.schemePort)
        require(
            named == Authority.normal(host, schemePort: authority.schemePort),
            "an absolute target's authority and the Host field say the same")
    }
}

private func checkFraming(_ values: [KnownField: [String]], _ head: RequestHead, _ limits: Limits) {
    let lengths = values[.contentLength] ?? []
    let codings = values[.transferEncoding] ?? []
    require(lengths.count + codings.count <= 1, "an accepted head has at most one framing field")
    if let coding = codings.first {
        require(coding.lowercased() == "chunked" && head.isHTTP11, "no coding but chunked is accepted, and in HTTP/1.1")
        require(head.framing == .chunked, "a Transfer-Encoding field frames the body")
    } else if let length = lengths.first {
        require(length.utf8.allSatisfy { (0x30...0x39).contains($0) }, "a Content-Length is digits")
        guard let number = Int(length) else { fatalError("broken invariant: a Content-Length fits") }
        require(head.framing == .length(number), "a Content-Length field frames the body")
        require(number <= limits.bodyByteLimit, "an accepted body is within its limit")
    } else {
        require(head.framing == .none, "without a framing field there is no body")
    }
}

private func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes
    while bytes.first == 0x20 || bytes.first == 0x09 { bytes.removeFirst() }
    while bytes.last == 0x20 || bytes.last == 0x09 { bytes.removeLast() }
    return bytes
}

private let knownFields: [String: KnownField] = [
    "host": .host, "content-length": .contentLength, "transfer-encoding": .transferEncoding, "connection": .connection,
    "expect": .expect, "content-type": .contentType, "content-encoding": .contentEncoding, "accept": .accept,
    "accept-encoding": .acceptEncoding, "user-agent": .userAgent, "authorization": .authorization,
    "if-match": .ifMatch, "if-none-match": .ifNoneMatch, "idempotency-key": .idempotencyKey, "prefer": .prefer,
    "x-request-id": .xRequestID, "x-forwarded-for": .xForwardedFor, "x-forwarded-proto": .xForwardedProto,
    "x-forwarded-port": .xForwardedPort, "x-amzn-trace-id": .xAmznTraceID, "traceparent": .traceparent,
]
