import HTTP1
import HTTPTypes

@testable import Vial

private let app: App = {
    var app = App()
    app.get("/") { _ in .noContent }
    app.get("/api/items") { _ in .noContent }
    app.post("/api/items") { _ in .noContent }
    app.get("/api/items/{id}") { (_, _: Int64) in .noContent }
    app.delete("/api/items/{id}") { (_, _: Int64) in .noContent }
    app.get("/{a}/of/{b}") { (_, _: String, _: String) in .noContent }
    return app
}()

private let commonFields = Array("Server: fuzz\r\nDate: Fri, 01 Nov 2024 12:00:00 GMT".utf8)

/// Checks the plan for an accepted head: a route, or a response without one.
func checkPlan(for head: RequestHead) {
    let request = Request()
    request.head = head
    request.requestIDBytes = Array("fuzz".utf8)
    let plan = app.plan(for: request)
    if let route = request.route { checkRoute(route, request) }
    if case .answer(let response) = plan { checkAnswer(response) }
}

/// Checks that a matched path has the pattern's segments and no segment that another parser would resolve.
private func checkRoute(_ route: Route, _ request: Request) {
    let pattern = route.pattern.split(separator: "/")
    let path = request.head.bytes[request.head.path]
    // "/" has no segment; an absolute target without a path means "/".
    let segments =
        path.dropFirst().isEmpty ? [] : path.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false)
    require(segments.count == pattern.count, "a matched path has as many segments as its pattern")
    var captured = 0
    for (segment, expected) in zip(segments, pattern) {
        guard let text = try? PercentEncoding.decodeSegment(Array(segment).span) else {
            fatalError("broken invariant: a matched path can be decoded")
        }
        require(!text.isEmpty && text != "." && text != "..", "no route matches an empty or a dot segment")
        require(!text.utf8.contains(0), "no route matches a null")
        if expected.hasPrefix("{") {
            require(request.captures[captured] == segment.indices, "a parameter is captured where it stands")
            captured += 1
        } else {
            require(text == expected, "a literal segment is matched as it stands")
        }
    }
    require(request.captures.count == captured, "every parameter is captured once")
}

/// Checks that a response that Vial generates is encoded as one well-formed head, and that its body is JSON.
private func checkAnswer(_ response: Response) {
    if !response.body.isEmpty {
        do throws(JSONSyntax.Fault) { try JSONSyntax.check(response.body) } catch {
            fatalError("broken invariant: an answer's body is JSON: \(error.description(in: response.body))")
        }
    }
    checkEncoded(response.fields, status: response.status.code)
}

/// A handler's header fields with any text: accepted ones cannot split a response.
func tryResponseFields(_ input: Input) {
    var fields = ResponseFields()
    var accepted: [(name: String, value: String)] = []
    for part in input.wire.split(separator: 0xFF) {
        let name = part.prefix { $0 != 0x3A }
        let field = (
            name: String(decoding: name, as: UTF8.self),
            value: String(decoding: part.dropFirst(name.count + 1), as: UTF8.self)
        )
        do {
            try fields.append(field.name, field.value)
            accepted.append(field)
        } catch {
            let isPlain = field.name.utf8.allSatisfy(isTokenByte) && !field.name.isEmpty
            let isText = field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
            switch error {
            case .invalidName: require(!isPlain, "only a name that is no token is invalid")
            case .reservedName: require(reserved.contains(field.name.lowercased()), "only some names are reserved")
            case .invalidValue: require(!isText, "only a value with a control character is invalid")
            case .tooLong:
                let count = fields.bytes.count + field.name.utf8.count + field.value.utf8.count + 4
                require(count > Limits.responseFieldByteLimit, "only fields past the limit are too long")
            }
        }
    }
    for (name, _) in accepted {
        let first = accepted.first { $0.name.lowercased() == name.lowercased() }
        require(fields.value(name) == first?.value, "a field that was appended is found")
    }
    let lines = accepted.map { "\($0.name): \($0.value)" }
    require(
        checkEncoded(fields, status: 100 + Int(input.wire.first ?? 100) * 500 / 256) == lines,
        "the fields go out as they were appended")
}

private let reserved: Set = ["connection", "content-length", "date", "server", "transfer-encoding", "x-request-id"]

/// Encodes a head and parses its lines: the status line, the encoder's fields, and those of `fields`.
///
/// - Returns: the lines of `fields`.
@discardableResult
private func checkEncoded(_ fields: ResponseFields, status: Int) -> [String] {
    var out: [UInt8] = []
    ResponseEncoder.encode(
        status: status, reason: nil, contentType: "text/plain", fields: fields, commonFields: commonFields.span,
        requestID: "fuzz".utf8.span, contentLength: 5, persistence: .close, body: "".utf8.span, into: &out)
    require(out.count <= Limits.responseHeadByteLimit, "a response head is within its limit")
    var lines: [String] = []
    var start = 0
    for index in out.indices where out[index] == 0x0A {
        require(index > start && out[index - 1] == 0x0D, "every LF of a response ends a line together with a CR")
        lines.append(String(decoding: out[start..<(index - 1)], as: UTF8.self))
        start = index + 1
    }
    require(start == out.count && lines.last == "", "a response head ends with an empty line")
    require(lines.dropLast().allSatisfy { !$0.isEmpty }, "no other line of a response head is empty")
    let text = lines.joined()
    require(
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, "a response head has no control characters")
    let hasLength = status >= 200 && status != 204
    require(lines[0].hasPrefix("HTTP/1.1 \(status) "), "a response begins with its status")
    return Array(lines[5..<(lines.count - (hasLength ? 3 : 2))])
}
