import HTTP1
import Testing

struct QueryItemsTests {
    private func items(_ query: String) throws -> [[String]] {
        var items = QueryItems(try head("GET /\(query) HTTP/1.0\r\n\r\n"))
        var all: [[String]] = []
        while let item = try items.next() { all.append([item.name, item.value]) }
        return all
    }

    @Test func `returns the pairs in order`() throws {
        #expect(try items("?limit=10&q=a+b%26&q=c=d") == [["limit", "10"], ["q", "a b&"], ["q", "c=d"]])
        #expect(try items("?a&b=&=c&&") == [["a", ""], ["b", ""], ["", "c"]])
        #expect(try items("?") == [])
        #expect(try items("") == [])
    }

    @Test func `rejects an invalid escape when it reaches it`() throws {
        #expect(throws: ProtocolError.invalidPercentEncoding) { try items("?a=1&b=%") }
        #expect(throws: ProtocolError.encodedNull) { try items("?%00=1") }
    }

    @Test func `enforces its limit exactly`() throws {
        let most = "?" + String(repeating: "a&", count: Limits.queryItemLimit)
        #expect(try items(most).count == Limits.queryItemLimit)
        #expect(throws: ProtocolError.tooManyQueryItems) { try items(most + "b") }
    }
}
