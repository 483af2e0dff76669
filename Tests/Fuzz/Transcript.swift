import HTTP1

/// The results of parsing one connection's bytes.
struct Transcript: Equatable {
    enum Event: Equatable {
        case head(RequestHead)
        case body([UInt8])
        case refused(ProtocolError)
    }

    private(set) var events: [Event] = []
    /// The body of an incomplete request.
    private(set) var body: [UInt8] = []
    /// Number of used bytes.
    private(set) var used = 0
    /// The reader's state at the end of the bytes.
    private(set) var state = RequestReader.State.idle

    /// Reads the input as a connection does, at once or in the pieces of `splits`.
    ///
    /// - Parameter reusesHead: whether one head object serves all messages, as in a connection, or each gets a new one.
    init(of wire: [UInt8], limits: Limits, splits: Splits?, reusesHead: Bool) {
        var splits = splits
        var reader = RequestReader(limits: limits)
        var head = RequestHead()
        var received = splits == nil ? wire.count : 0
        while true {
            // A separate buffer of exact size, so that the address sanitizer detects a read beyond the end.
            let piece = Array(wire[used..<received])
            let step: RequestReader.Step
            do {
                step = try reader.read(piece.span, head: &head, body: &body)
            } catch {
                events.append(.refused(error))
                if error.isHeadComplete && !reader.expectsBody { events.append(.head(head)) }
                // How many bytes of a refused message were used depends on the pieces and has no further effect.
                used = 0
                state = .idle
                return
            }
            require(body.count <= limits.bodyByteLimit, "a body stays within its limit")
            switch step {
            case .incomplete(let count):
                use(count, of: piece)
                state = reader.state
                switch state {
                case .idle, .head:
                    require(count == 0, "the bytes of an incomplete head are kept")
                    require(
                        piece.count < limits.messageHeadByteLimit, "a head of messageHeadByteLimit bytes is decided")
                case .body, .chunks:
                    require(count == piece.count, "an incomplete body takes all bytes")
                }
                guard received < wire.count else { return }
                received += splits?.next(remaining: wire.count - received, total: wire.count) ?? 0
            case .head(let count):
                require(count > 0, "a head takes bytes")
                require(head.bytes.elementsEqual(piece.prefix(count)), "a head holds the bytes that it took")
                require(body.isEmpty, "a head adds nothing to a body")
                use(count, of: piece)
                events.append(.head(head))
                if !reusesHead { head = RequestHead() }
            case .complete(let count):
                use(count, of: piece)
                require(!reader.expectsBody, "a complete message expects no more of its body")
                if case .head(let head)? = events.last, ["GET", "HEAD"].contains(head.string(head.method)) {
                    require(body.isEmpty, "a GET and a HEAD have no content")
                }
                events.append(.body(body))
                body = []
            }
        }
    }

    /// The results for a person who investigates a finding, with heads as text.
    var report: String {
        let steps = events.map { event in
            switch event {
            case .head(let head):
                "head \(head.string(0..<head.bytes.count).debugDescription) framing \(head.framing) fields \(Array(head.fields))"
            case .body(let body): "body \(body)"
            case .refused(let error): "refused: \(error)"
            }
        }
        return (steps + ["then \(state), \(used) bytes used, incomplete body \(body)"]).joined(separator: "\n")
    }

    private mutating func use(_ count: Int, of piece: [UInt8]) {
        require(count >= 0 && count <= piece.count, "the bytes used are among those given")
        used += count
    }
}

/// Runs the connection's reader, and everything that is derived from a head before a handler gets it.
func tryConnection(_ input: Input) {
    let whole = Transcript(of: input.wire, limits: input.limits, splits: nil, reusesHead: false)
    let pieces = Transcript(of: input.wire, limits: input.limits, splits: input.splits, reusesHead: true)
    require(
        whole == pieces,
        "any split of the bytes gives the same steps\n\nat once:\n\(whole.report)\n\nin pieces:\n\(pieces.report)")
    var isRefused = false
    for event in whole.events {
        switch event {
        case .head(let head):
            if !isRefused { checkHead(head, input.limits) }
            checkQuery(of: head)
            checkPlan(for: head)
        case .body: break
        case .refused: isRefused = true
        }
    }
}
