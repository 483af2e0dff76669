import HTTP1

/// The result of parsing some bytes.
enum Outcome: Equatable {
    case incomplete
    case complete(RequestHead, byteCount: Int)
    case refused(ProtocolError)
}

/// Parses the first bytes up to each of `cuts` in turn, then all of them.
func parse(_ wire: [UInt8], cuts: some Sequence<Int> = [], limits: Limits = Limits()) -> Outcome {
    var parser = RequestParser(limits: limits)
    var head = RequestHead()
    do {
        for cut in cuts {
            if let count = try parser.parse(wire.span.extracting(0..<cut), into: &head) {
                return .complete(head, byteCount: count)
            }
        }
        guard let count = try parser.parse(wire.span, into: &head) else { return .incomplete }
        return .complete(head, byteCount: count)
    } catch {
        return .refused(error)
    }
}

func parse(_ wire: String, limits: Limits = Limits()) -> Outcome {
    parse(Array(wire.utf8), limits: limits)
}

/// The head of a message that must be valid.
func head(_ wire: String, limits: Limits = Limits()) throws(ProtocolError) -> RequestHead {
    var parser = RequestParser(limits: limits)
    var head = RequestHead()
    let bytes = Array(wire.utf8)
    let count = try parser.parse(bytes.span, into: &head)
    precondition(count != nil, "incomplete: \(wire)")
    return head
}

/// The error of a rejected message; nil when the message is accepted or incomplete.
func refusal(_ wire: String, limits: Limits = Limits()) -> ProtocolError? {
    refusal(Array(wire.utf8), limits: limits)
}

func refusal(_ wire: [UInt8], limits: Limits = Limits()) -> ProtocolError? {
    let atOnce = parse(wire, limits: limits)
    precondition(atOnce == parse(wire, cuts: 0..<wire.count, limits: limits), "the verdict depends on the split")
    guard case .refused(let error) = atOnce else { return nil }
    return error
}

/// A POST request, which may have content, with additional field lines, each without its line end.
func request(_ fields: String...) -> String {
    "POST / HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
}

extension RequestHead {
    var methodText: String { string(method) }
    var pathText: String { string(path) }
    var queryText: String? { query.map { string($0) } }
}

/// A generator that produces the same numbers in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
