import Reactor
import Testing

struct ReadBufferTests {
    private let sockets = SocketPair()
    private let buffer = ReadBuffer(byteCount: 4)

    /// The result of one read, as text.
    private func read() -> String {
        switch buffer.receive(from: sockets.near) {
        case .bytes(let bytes): String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        case .end: "end"
        case .wouldBlock: "nothing yet"
        case .failed: "failed"
        }
    }

    private func send(_ text: String) throws -> Int? {
        guard case .done(let count) = try sockets.far.send(Array(text.utf8).span) else { return nil }
        return count
    }

    @Test func `receives at most its size`() throws {
        #expect(buffer.byteCount == 4)
        #expect(try send("abcdefg") == 7)
        #expect(read() == "abcd")
        #expect(read() == "efg")
    }

    @Test func `distinguishes a socket without data from one that has ended`() {
        #expect(read() == "nothing yet")
        sockets.far.shutdownWrite()
        #expect(read() == "end")
    }
}
