import FoundationEssentials
import HTTP1
import Testing

/// Reads the corpus of Tests/Corpus without a socket.
struct CorpusTests {
    private static let cases = Result { try Case.load() }

    @Test func `gives the result that it names`() throws {
        let cases = try Self.cases.get()
        #expect(cases.count >= 300)
        for each in cases {
            let record = Record(each.bytes)
            if let reason = each.reason {
                #expect(record.refusal?.reason == reason, "\(each.name)")
            } else if each.staysOpen {
                #expect(record.refusal == nil && record.state == .idle, "\(each.name)")
                #expect(record.messages.count == each.finalAnswerCount, "\(each.name)")
            }
            if let query = each.query {
                #expect(record.messages.last.flatMap { queryRefusal($0.head) }?.reason == query, "\(each.name)")
            }
        }
    }

    @Test func `gives the same result byte by byte`() throws {
        for each in try Self.cases.get() where each.bytes.count <= Case.shortByteLimit {
            let record = Record(each.bytes, cuts: 0..<each.bytes.count)
            #expect(record == Record(each.bytes), "\(each.name)")
        }
    }

    @Test func `gives the same result on every split in two`() throws {
        for each in try Self.cases.get() where each.bytes.count <= Case.shortByteLimit {
            let whole = Record(each.bytes)
            // One expectation for all splits, because expectations are slower than the reader.
            let differing = each.bytes.indices.filter { Record(each.bytes, cuts: CollectionOfOne($0)) != whole }
            #expect(differing == [], "\(each.name)")
        }
    }

    @Test func `gives the same result on random splits if it is long`() throws {
        var generator = SeededGenerator(state: 1)
        for each in try Self.cases.get() where each.bytes.count > Case.shortByteLimit {
            let cuts = (0..<7).map { _ in Int.random(in: 0...each.bytes.count, using: &generator) }.sorted()
            #expect(Record(each.bytes, cuts: cuts) == Record(each.bytes), "\(each.name) cut at \(cuts)")
        }
    }
}

/// The members of a case that this test uses; Tests/Corpus/README.md describes all of them.
private struct Case: Decodable {
    /// Up to this length every split is tried.
    static let shortByteLimit = 2048

    let name: String
    let reason: String?
    let query: String?
    let bytes: [UInt8]
    let staysOpen: Bool
    let finalAnswerCount: Int

    private enum Key: String, CodingKey {
        case name, send, verdict, reason, query
    }

    private enum Piece: Decodable {
        case text(String)
        case repeated(String, Int)
        case pause

        private enum Key: String, CodingKey {
            case `repeat`, times
        }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self = .text(text)
                return
            }
            let container = try decoder.container(keyedBy: Key.self)
            guard let text = try container.decodeIfPresent(String.self, forKey: .repeat) else {
                self = .pause
                return
            }
            self = .repeated(text, try container.decode(Int.self, forKey: .times))
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        name = try container.decode(String.self, forKey: .name)
        reason = try container.decodeIfPresent(String.self, forKey: .reason)
        query = try container.decodeIfPresent(String.self, forKey: .query)
        let verdict = try container.decode(String.self, forKey: .verdict).split(separator: " ")
        staysOpen = verdict.last == "open"
        finalAnswerCount = verdict.dropLast().count { !$0.hasPrefix("1") }
        var bytes: [UInt8] = []
        for piece in try container.decode([Piece].self, forKey: .send) {
            switch piece {
            case .text(let text): bytes += Self.bytes(of: text)
            case .repeated(let text, let times):
                let unit = Self.bytes(of: text)
                for _ in 0..<times { bytes += unit }
            case .pause: break
            }
        }
        self.bytes = bytes
    }

    /// Each character is one byte.
    private static func bytes(of text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    static func load() throws -> [Case] {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let directory = tests.appending(path: "Corpus")
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".json") }
        return try files.sorted().flatMap { file in
            try JSONDecoder().decode([Case].self, from: Data(contentsOf: directory.appending(path: file)))
        }
    }
}

/// The refusal when a handler reads the query of a head.
private func queryRefusal(_ head: RequestHead) -> ProtocolError? {
    var items = QueryItems(head)
    do {
        while try items.next() != nil {}
        return nil
    } catch { return error }
}

/// The results of reading a stream.
private struct Record: Equatable {
    struct Message: Equatable {
        var head: RequestHead
        var body: [UInt8] = []
        /// Bytes of the stream up to the end of the head, and to the end of the message.
        var headEnd: Int
        var end: Int
    }

    var messages: [Message] = []
    var refusal: ProtocolError?
    /// The reader's state after the last byte; nil if it rejected one.
    var state: RequestReader.State?

    /// Reads a stream that arrives in parts, each ending at one of `cuts`, as a connection does.
    init(_ wire: [UInt8], cuts: some Sequence<Int> = EmptyCollection()) {
        var reader = RequestReader(limits: Limits())
        var head = RequestHead()
        var body: [UInt8] = []
        var used = 0
        do {
            for cut in cuts { try take(wire, to: cut, &reader, &head, &body, &used) }
            try take(wire, to: wire.count, &reader, &head, &body, &used)
            state = reader.state
        } catch {
            refusal = error
        }
    }

    private mutating func take(
        _ wire: [UInt8], to arrived: Int, _ reader: inout RequestReader, _ head: inout RequestHead,
        _ body: inout [UInt8], _ used: inout Int
    ) throws(ProtocolError) {
        while true {
            switch try reader.read(wire.span.extracting(used..<arrived), head: &head, body: &body) {
            case .incomplete(let count):
                used += count
                return
            case .head(let count):
                used += count
                messages.append(.init(head: head, headEnd: used, end: used))
            case .complete(let count):
                used += count
                messages[messages.count - 1].body = body
                messages[messages.count - 1].end = used
                body = []
            }
        }
    }
}
