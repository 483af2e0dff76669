import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct RequestIDTests {
    private func choose(_ fields: [(String, String)], trusted: Bool) throws -> String {
        var identifiers = RequestID()
        let request = try Request(.get, "/", fields: fields)
        request.requestIDBytes = Array("left over".utf8)
        request.isPeerTrusted = trusted
        identifiers.choose(for: request)
        return request.requestID
    }

    private func isNew(_ identifier: String) -> Bool {
        identifier.utf8.count == 32 && identifier.allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }

    @Test(arguments: ["a", "A-b_c.d:e=f/g+1", String(repeating: "x", count: 128)], [true, false])
    func `keeps the client's valid identifier`(identifier: String, trusted: Bool) throws {
        let trace = ("X-Amzn-Trace-Id", "Root=1-67891233-abcdef")
        #expect(try choose([trace, ("X-Request-Id", identifier)], trusted: trusted) == identifier)
    }

    @Test(arguments: ["", "a b", "a\tb", "a\"b", "a;b", "ä", "{}", "a,b", "$(x)", String(repeating: "x", count: 129)])
    func `replaces an invalid identifier`(identifier: String) throws {
        #expect(isNew(try choose([("X-Request-Id", identifier)], trusted: false)))
        let trace = ("X-Amzn-Trace-Id", "Root=1-67891233-abcdef")
        #expect(try choose([("X-Request-Id", identifier), trace], trusted: true) == "1-67891233-abcdef")
    }

    @Test(arguments: [
        ("Root=1-67891233-abcdef012345678912345678", "1-67891233-abcdef012345678912345678"),
        ("Self=1-1-1;Root=1-2-3;Parent=4", "1-2-3"),
        ("Root=1-2-3;Root=4-5-6", "1-2-3"),
    ])
    func `uses the trace root of trusted peers only`(trace: String, root: String) throws {
        #expect(try choose([("X-Amzn-Trace-Id", trace)], trusted: true) == root)
        #expect(isNew(try choose([("X-Amzn-Trace-Id", trace)], trusted: false)))
    }

    @Test func `records the trace of trusted peers only, also with an identifier of the client`() throws {
        var identifiers = RequestID()
        let fields = [("X-Amzn-Trace-Id", "Self=1-2;Root=1-67891233-abc;Sampled=1"), ("X-Request-Id", "own")]
        let request = try Request(.get, "/", fields: fields)
        identifiers.choose(for: request)
        #expect(request.traceRoot == nil)
        request.isPeerTrusted = true
        identifiers.choose(for: request)
        #expect(request.traceRoot.map { request.head.string($0) } == "1-67891233-abc")
        #expect(request.requestID == "own")
        let next = try Request(.get, "/")
        request.head = next.head
        identifiers.choose(for: request)
        #expect(request.traceRoot == nil)
    }

    @Test(arguments: ["", "Self=1-2-3", "Root=", "Root=a b", "root=1-2-3", "Root", ";;", "XRoot=1-2-3"])
    func `makes an identifier when the trace has no valid root`(trace: String) throws {
        #expect(isNew(try choose([("X-Amzn-Trace-Id", trace)], trusted: true)))
    }

    @Test func `makes distinct identifiers, on every loop`() {
        var seen = Set<String>()
        for _ in 0..<4 {
            var identifiers = RequestID()
            for _ in 0..<1000 {
                var bytes = Array("left over".utf8)
                identifiers.make(into: &bytes)
                let identifier = String(decoding: bytes, as: UTF8.self)
                #expect(isNew(identifier))
                seen.insert(identifier)
            }
        }
        #expect(seen.count == 4000)
    }
}
