import HTTP1
import HTTPTypes
import Postgres
import Testing
import Vial

@testable import Items

struct PageTests {
    private func page(_ query: String) throws -> PageRequest {
        try PageRequest(try Request(.get, "/api/items" + query))
    }

    @Test func `begins at the start with the default limit`() throws {
        let ascending = try page("")
        #expect(ascending.limit == 100 && ascending.list.order == .ascending && ascending.cursor == nil)
        #expect(ascending.list.filter == nil)
        let descending = try page("?order=desc")
        #expect(descending.list.order == .descending && descending.cursor == nil)
    }

    @Test func `the rows of a page that is not counted always fit into a page`() {
        #expect((PageRequest.shortLimit + 1) * Item.byteLimit <= PageRequest.byteLimit)
    }

    @Test func `continues after a cursor`() throws {
        let ascending = try page("?cursor=a42&limit=1")
        #expect(ascending.limit == 1 && ascending.cursor?.id == 42 && ascending.direction == .ascending)
        let descending = try page("?cursor=d42&order=desc&limit=1000")
        #expect(descending.limit == 1000 && descending.cursor?.id == 42 && descending.direction == .descending)
    }

    @Test func `reads the filters`() throws {
        let filter = try page(
            "?q=a%25+b&created_after=2024-11-01T12:00:00Z&created_before=2024-11-01T13:30:00.25%2B01:30"
        ).list.filter
        #expect(filter?.text == "a% b")
        #expect(filter?.createdAfter == Timestamp("2024-11-01T12:00:00Z"))
        #expect(filter?.createdBefore == Timestamp("2024-11-01T12:00:00.25Z"))
        #expect(try page("?ids=7,-3,7,1").list.filter?.ids == [-3, 1, 7])
        #expect(try page("?ids=\((1...100).map(String.init).joined(separator: ","))").list.filter?.ids?.count == 100)
        #expect(try page("?q=\(String(repeating: "%F0%9F%8E%89", count: 255))").list.filter?.text?.count == 255)
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
        ("?q=a&q=a", "Query parameter q is given twice."),
        ("?q=", "Query parameter q must be 1 to 255 characters."),
        ("?q=\(String(repeating: "a", count: 256))", "Query parameter q must be 1 to 255 characters."),
        ("?sort=name", "Query parameter sort is unknown."),
        ("?Limit=1", "Query parameter Limit is unknown."),
        ("?=1", "Query parameter  is unknown."),
        ("?\(String(repeating: "a", count: 70))", "Query parameter \(String(repeating: "a", count: 64)) is unknown."),
        ("?ids=", "Query parameter ids must be 1 to 100 ids of items, separated by commas."),
        ("?ids=1,", "Query parameter ids must be 1 to 100 ids of items, separated by commas."),
        ("?ids=01", "Query parameter ids must be 1 to 100 ids of items, separated by commas."),
        ("?ids=1,x", "Query parameter ids must be 1 to 100 ids of items, separated by commas."),
        (
            "?ids=\((1...101).map(String.init).joined(separator: ","))",
            "Query parameter ids must be 1 to 100 ids of items, separated by commas."
        ),
        ("?ids=1&q=a", "Query parameters ids and q cannot be combined."),
        ("?ids=1&created_before=2024-11-01T12:00:00Z", "Query parameters ids and created_before cannot be combined."),
        (
            "?created_after=2024-11-01",
            "Query parameter created_after must be a time of RFC 3339 such as 2024-11-01T12:00:00Z; a plus sign is %2B."
        ),
        (
            "?created_before=2024-11-01T12:00:00+01:00",
            "Query parameter created_before must be a time of RFC 3339 such as 2024-11-01T12:00:00Z; a plus sign is %2B."
        ),
    ])
    func `names the invalid parameter`(query: String, detail: String) throws {
        let error = #expect(throws: HTTPError.self) { try page(query) }
        #expect(error?.status == .badRequest)
        #expect(error?.detail == detail)
    }

    @Test(arguments: [
        "?cursor=a5&order=desc", "?cursor=d5", "?cursor=x", "?cursor=", "?cursor=a5&q=a", "?cursor=%C3%A9",
    ])
    func `refuses the cursor of another list, with a problem of its own`(query: String) throws {
        let error = #expect(throws: HTTPError.self) { try page(query) }
        #expect(error?.status == .badRequest && error?.problem == .cursor)
    }
}

/// The part of a list that a page's statement reads.
struct PageBoundsTests {
    private let time = Timestamp(microsecondsSinceEpoch: 946_684_800_000_009)

    private func bounds(_ order: ItemList.Order, _ cursor: Cursor?, _ filter: ListFilter) -> [Parameter] {
        PageRequest(limit: 1, list: ItemList(order: order, filter: filter), cursor: cursor).bounds
    }

    @Test func `by id is the whole list, or what is behind the cursor`() {
        let filter = ListFilter(text: "a")
        #expect(bounds(.ascending, nil, filter) == [.int64(.min), .int64(.max)])
        #expect(bounds(.ascending, Cursor(isBackward: false, id: 7), filter) == [.int64(8), .int64(.max)])
        #expect(bounds(.ascending, Cursor(isBackward: true, id: 7), filter) == [.int64(.min), .int64(6)])
        #expect(bounds(.descending, Cursor(isBackward: false, id: 7), filter) == [.int64(.min), .int64(6)])
        #expect(bounds(.descending, Cursor(isBackward: true, id: 7), filter) == [.int64(8), .int64(.max)])
    }

    @Test func `is empty behind the last possible id`() {
        let filter = ListFilter(text: "a")
        let empty = [Parameter.int64(.max), .int64(.min)]
        #expect(bounds(.ascending, Cursor(isBackward: false, id: .max), filter) == empty)
        #expect(bounds(.descending, Cursor(isBackward: false, id: .min), filter) == empty)
    }

    @Test func `by time excludes both times`() {
        #expect(
            bounds(.ascending, nil, ListFilter(createdAfter: time))
                == [.int64(9), .int64(.max), .int64(.max), .int64(.max)])
        #expect(
            bounds(.ascending, nil, ListFilter(createdBefore: time))
                == [.int64(.min), .int64(.min), .int64(9), .int64(.min)])
    }

    @Test func `by time has the cursor in place of the bound in its direction`() {
        let cursor = Cursor(isBackward: false, id: 7, createdAt: 20)
        #expect(
            bounds(.ascending, cursor, ListFilter(createdAfter: time))
                == [.int64(20), .int64(7), .int64(.max), .int64(.max)])
        #expect(
            bounds(.descending, cursor, ListFilter(createdAfter: time))
                == [.int64(9), .int64(.max), .int64(20), .int64(7)])
    }

    @Test func `of ids is those behind the cursor, in the order of reading`() {
        let list = ItemList(order: .ascending, filter: ListFilter(ids: [1, 2, 3]))
        let ids = { (cursor: Cursor?) in
            PageRequest.ids(of: [1, 2, 3], for: PageRequest(limit: 2, list: list, cursor: cursor))
        }
        #expect(ids(nil) == [1, 2, 3])
        #expect(ids(Cursor(isBackward: false, id: 1)) == [2, 3])
        #expect(ids(Cursor(isBackward: true, id: 3)) == [2, 1])
    }
}

struct SearchTests {
    @Test(arguments: [("a", "%a%"), ("100%", #"%100\%%"#), ("a_b", #"%a\_b%"#), (#"\"#, #"%\\%"#), ("é😀", "%é😀%")])
    func `takes every character for itself`(text: String, pattern: String) {
        #expect(Search.pattern(text) == pattern)
    }
}

struct PageLinksTests {
    private func optionalField(_ query: String, next: Cursor?, previous: Cursor?) throws -> String? {
        let request = try PageRequest(try Request(.get, "/x/api/items" + query))
        let links = PageLinks(path: Array("/x/api/items".utf8), request: request)
        return links.field(next: next?.text(in: request.list), previous: previous?.text(in: request.list)).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private func field(_ query: String, next: Cursor?, previous: Cursor?) throws -> String {
        try #require(try optionalField(query, next: next, previous: previous))
    }

    @Test func `name the pages of the same list`() throws {
        #expect(try field("", next: nil, previous: nil) == #"</x/api/items?limit=100&order=asc>; rel="first""#)
        let both = try field(
            "?limit=7&order=desc&q=a%26+b", next: Cursor(isBackward: false, id: 3),
            previous: Cursor(isBackward: true, id: 9))
        let links = both.components(", ")
        #expect(links.count == 3)
        #expect(links[0].hasPrefix("</x/api/items?limit=7&order=desc&q=a%26%20b&cursor=E"))
        #expect(links[0].hasSuffix(#">; rel="next""#) && links[1].hasSuffix(#">; rel="prev""#))
        #expect(links[2] == #"</x/api/items?limit=7&order=desc&q=a%26%20b>; rel="first""#)
    }

    @Test func `keep every filter`() throws {
        let link = try field(
            "?created_after=2024-11-01T12:00:00Z&created_before=2024-11-02T12:00:00%2B01:00", next: nil, previous: nil)
        #expect(
            link.contains(
                "&created_after=2024-11-01T12:00:00.000000Z&created_before=2024-11-02T11:00:00.000000Z>"))
        #expect(try field("?ids=3,1", next: nil, previous: nil).contains("&ids=1,3>"))
    }

    @Test func `are left out when the field would be longer than proxies take`() throws {
        let (next, previous) = (Cursor(isBackward: false, id: .max), Cursor(isBackward: true, id: .min))
        for count in 1...255 {
            let query = "?limit=1000&order=desc&q=" + String(repeating: "%F0%9F%8E%89", count: count)
            if let field = try optionalField(query, next: next, previous: previous) {
                #expect(field.utf8.count <= PageLinks.byteLimit && count < 60)
            } else {
                #expect(count > 40)
            }
        }
        let ids = (1...100).map { String(Int64.max - $0) }.joined(separator: ",")
        #expect(try optionalField("?ids=" + ids, next: nil, previous: nil) == nil)
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [String] {
        var (parts, rest) = ([String](), self[...])
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
