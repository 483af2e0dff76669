import HTTP1
import Testing

struct ChunkedDecoderTests {
    private struct Decoded: Equatable {
        var body: [UInt8] = []
        var byteCount = 0
        var isComplete = false
        var error: ProtocolError?
    }

    private func decode(_ wire: [UInt8], cuts: [Int] = [], limits: Limits = Limits()) -> Decoded {
        var decoder = ChunkedDecoder(limits: limits)
        var result = Decoded()
        for cut in cuts + [wire.count] {
            do {
                let input = wire.span.extracting(result.byteCount..<max(cut, result.byteCount))
                result.byteCount += try decoder.decode(input, into: &result.body)
            } catch {
                result.error = error
                return result
            }
            result.isComplete = decoder.isComplete
        }
        return result
    }

    private func error(_ wire: String, limits: Limits = Limits()) -> ProtocolError? {
        let bytes = Array(wire.utf8)
        let whole = decode(bytes, limits: limits).error
        #expect(decode(bytes, cuts: Array(0..<bytes.count), limits: limits).error == whole)
        return whole
    }

    @Test(arguments: [
        ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("1\r\na\r\n02\r\nbc\r\n000\r\n\r\n", "abc"),
        ("a\r\n0123456789\r\nA\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "0123456789\r\n\r\n\r\n\r\n\r\n"),
        ("3;a;b=c;d=\"e;\\\" f\"\r\nabc\r\n0;x\r\n\r\n", "abc"), ("3;a=b;c\r\nabc\r\n0;x\r\n\r\n", "abc"),
        ("1\r\na\r\n0\r\nTrailer: x\r\nContent-Length: 5\r\nEmpty:\r\n\r\n", "a"),
    ])
    func `decodes the same on any split`(wire: String, body: String) {
        let message = Array(wire.utf8)
        let expected = Decoded(body: Array(body.utf8), byteCount: message.count, isComplete: true)
        let bytes = message + Array("GET /".utf8)
        #expect(decode(bytes) == expected)
        for cut in 0...bytes.count { #expect(decode(bytes, cuts: [cut]) == expected, "split at \(cut)") }
        #expect(decode(bytes, cuts: Array(0..<bytes.count)) == expected, "byte by byte")
        for cut in 0..<message.count { #expect(!decode(Array(message[..<cut])).isComplete) }
    }

    @Test func `consumes nothing after its end`() throws {
        var decoder = ChunkedDecoder(limits: Limits())
        var body: [UInt8] = []
        let wire = Array("0\r\n\r\n".utf8)
        #expect(try decoder.decode(wire.span, into: &body) == 5)
        #expect(decoder.isComplete)
        #expect(try decoder.decode(wire.span, into: &body) == 0)
    }

    @Test(arguments: [
        ("\r\n", ProtocolError.invalidChunkSize), ("x\r\n", .invalidChunkSize), ("-1\r\n", .invalidChunkSize),
        ("+1\r\n", .invalidChunkSize), ("0x1\r\n", .invalidChunkSize), (" 1\r\n", .invalidChunkSize),
        (";a\r\n", .invalidChunkSize), ("1_0\r\n", .invalidChunkSize), ("1g\r\n", .invalidChunkSize),
        ("1\n", .bareLineFeed), ("1\rx", .bareCarriageReturn), ("1 \r\n", .invalidChunkSize),
        ("1 1\r\n", .invalidChunkSize), ("1 ;a\r\n", .invalidChunkSize), ("1; a\r\n", .invalidChunkExtension),
        ("1;a =b\r\n", .invalidChunkExtension), ("1;a= b\r\n", .invalidChunkExtension),
        ("1;\r\n", .invalidChunkExtension), ("1;a=\r\n", .invalidChunkExtension),
        ("1;=a\r\n", .invalidChunkExtension), ("1;a b\r\n", .invalidChunkExtension),
        ("1;a \r\n", .invalidChunkExtension),
        ("1;a=\"b\r\n", .invalidChunkExtension), ("1;a=\"b\\\r\n", .invalidChunkExtension),
        ("1;a=\"b\"c\r\n", .invalidChunkExtension), ("1;a\n", .bareLineFeed), ("1;a=\"\n\"\r\n", .bareLineFeed),
        ("1;a\0\r\n", .invalidChunkExtension), ("1;a\rb", .bareCarriageReturn),
        ("1\r\nab", .invalidChunkTerminator), ("1\r\na\n", .invalidChunkTerminator),
        ("1\r\na\rb", .invalidChunkTerminator),
        ("0\r\nA : b\r\n", .whitespaceBeforeColon), ("0\r\n A: b\r\n", .lineFolding),
        ("0\r\nA: b\r\n c\r\n", .lineFolding),
        ("0\r\nA\r\n", .invalidFieldName), ("0\r\n: b\r\n", .invalidFieldName), ("0\r\nA\0: b\r\n", .invalidFieldName),
        ("0\r\nA: \0\r\n", .invalidFieldValue), ("0\r\nA: b\n", .bareLineFeed), ("0\r\n\n", .bareLineFeed),
        ("0\r\nA: b\rc", .bareCarriageReturn), ("0\r\n\ra", .bareCarriageReturn),
    ])
    func `refuses`(wire: String, expected: ProtocolError) {
        #expect(error(wire) == expected, "\(wire.debugDescription)")
    }

    @Test func `enforces the limit of a body exactly, over all chunks`() {
        let limits = Limits(bodyByteLimit: 10)
        #expect(error("4\r\n0123\r\n5\r\n01234\r\n0\r\n\r\n", limits: limits) == nil)
        #expect(error("4\r\n0123\r\n6\r\n012345\r\n0\r\n\r\n", limits: limits) == nil)
        #expect(error("4\r\n0123\r\n7\r\n", limits: limits) == .bodyTooLarge)
        #expect(error("a\r\n0123456789\r\n1\r\n", limits: limits) == .bodyTooLarge)
        #expect(error("fffffffffffffff\r\n", limits: limits) == .bodyTooLarge)
    }

    @Test func `enforces the limit of a size's digits exactly`() {
        let zeros = String(repeating: "0", count: Limits.chunkSizeDigitLimit - 1)
        #expect(error("\(zeros)1\r\na\r\n\(zeros)0\r\n\r\n") == nil)
        #expect(error("\(zeros)01\r\n") == .invalidChunkSize)
    }

    @Test func `enforces the limit of chunk extensions exactly, over all chunks`() {
        let half = Limits.chunkExtensionByteLimit / 2
        for (extra, expected) in [(-1, nil), (0, nil), (1, ProtocolError.chunkExtensionTooLong)] {
            let first = String(repeating: "a", count: half - 1)
            let second = String(repeating: "b", count: half - 1 + extra)
            #expect(error("1;\(first)\r\na\r\n0;\(second)\r\n\r\n") == expected)
        }
    }

    @Test func `enforces the limit of chunks exactly`() {
        for (extra, expected) in [(-1, nil), (0, nil), (1, ProtocolError.tooManyChunks)] {
            let chunks = String(repeating: "1\r\na\r\n", count: Limits.chunkCountLimit + extra)
            #expect(error("\(chunks)0\r\n\r\n") == expected)
        }
    }

    @Test func `enforces the limits of trailers exactly`() {
        for (extra, expected) in [(-1, nil), (0, nil), (1, ProtocolError.trailerTooLong)] {
            let value = String(repeating: "v", count: Limits.trailerByteLimit - 6 + extra)
            #expect(error("0\r\nA: b\r\nC:\(value)\r\n\r\n") == expected)
        }
        let trailers = String(repeating: "A: b\r\n", count: Limits.trailerCountLimit)
        #expect(error("0\r\n\(trailers)\r\n") == nil)
        #expect(error("0\r\n\(trailers)C: d\r\n\r\n") == .tooManyTrailers)
    }

    @Test func `the result for damaged bodies does not depend on the split`() {
        var generator = SeededGenerator(state: 2)
        let valid = Array("3;a;b=c;d=\"e;\\\" f\"\r\nabc\r\n10;x\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n".utf8)
        let damage = Array("\r\n\0\t :;\"=\\0fg".utf8) + [0x80]
        for _ in 0..<3000 {
            var wire = valid
            let index = Int.random(in: 0..<wire.count, using: &generator)
            let byte = damage.randomElement(using: &generator)!
            if Bool.random(using: &generator) { wire[index] = byte } else { wire.insert(byte, at: index) }
            let whole = decode(wire)
            let pieces = decode(wire, cuts: Array(0..<wire.count))
            #expect(whole.body == pieces.body && whole.error == pieces.error && whole.isComplete == pieces.isComplete)
        }
    }
}
