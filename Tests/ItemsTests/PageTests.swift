import HTTP1
import HTTPTypes
import Testing
import Vial

@testable import Items

struct PageTests {
    private func page(_ query: String) throws -> PageRequest {
        try PageRequest(try Request(.get, "/api/items" + query))
    }

    @Test func `begins at the start with the default limit`() throws {
        let ascending = try page("")
        #expect(ascending.limit == 100 && ascending.order == .ascending && ascending.after == nil)
        let descending = try page("?order=desc")
        #expect(descending.order == .descending && descending.after == nil)
    }

    @Test func `the rows of a page that is not counted always fit into a page`() {
        #expect((PageRequest.shortLimit + 1) * Item.byteLimit <= PageRequest.byteLimit)
    }

    @Test func `continues after a cursor`() throws {
        let ascending = try page("?cursor=a42&limit=1")
        #expect(ascending.limit == 1 && ascending.after == 42)
        let descending = try page("?cursor=d42&order=desc&limit=1000")
        #expect(descending.limit == 1000 && descending.after == 42)
    }

    @Test(arguments: [
        ("?limit=0", "Query parameter limit must be between 1 and 1000."),
        ("?limit=1001", "Query parameter limit must be between 1 and 1000."),
        ("?limit=-1", "Query parameter limit must be between 1 and 1000."),
        ("?limit=", "Query parameter limit must be a whole number."),
        ("?limit=ten", "Query parameter limit must be a whole number."),
        ("?limit=1&limit=2", "Query parameter limit is given twice."),
        ("?order=up", "Query parameter order must be asc or desc."),
        ("?order=ASC", "Query parameter order must be asc or desc."),
        ("?cursor=a5&order=desc", "Query parameter cursor belongs to a list in the other order."),
        ("?cursor=d5", "Query parameter cursor belongs to a list in the other order."),
    ])
    func `names the invalid parameter`(query: String, detail: String) throws {
        let error = #expect(throws: HTTPError.self) { try page(query) }
        #expect(error?.status == .badRequest)
        #expect(error?.detail == detail)
    }

    @Test(arguments: [
        "", "a", "5", "x5", "a-", "a-0", "a-05", "a--5", "a+5", "a05", "a-9223372036854775809", "a5x",
        "a9223372036854775808", "A5", "%00", "a5%20",
    ])
    func `rejects foreign cursors`(cursor: String) throws {
        #expect(throws: HTTPError.self) { try page("?cursor=\(cursor)") }
    }

    @Test func `a cursor survives conversion to text`() throws {
        for after in [Int64.min, -7, 0, 1, 42, .max] {
            for order in [PageRequest.Order.ascending, .descending] {
                let cursor = try #require(Cursor(queryValue: Cursor(order: order, after: after).text))
                #expect(cursor.order == order && cursor.after == after)
            }
        }
    }
}
