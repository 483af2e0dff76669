import Formatting
import Glibc
import HTTP1
import HTTPTypes
import Postgres
import Reactor
import Testing
import Vial

@testable import Items
@testable import TestSupport

/// Which of the rows of a query are on a page.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PageRowsTests {
    /// The page of at most `limit` items from rows with ids from 1 on and these names and descriptions.
    private func page(
        limit: Int, order: String = "asc", _ count: Int, name: String = "'a'", description: String = "NULL",
        cursor: String? = nil
    ) async throws -> Page {
        let loop = try EventLoop(index: 0)
        try loop.start()
        defer { loop.stop() }
        let pool = Pool(
            on: loop, minimum: 1, maximum: 1, waitLimit: .milliseconds(30_000), statementLimit: .milliseconds(30_000),
            connector: Connector(options: { () throws(DatabaseError) in EmptySchema.options }), observe: { _ in })
        await pool.open()
        let rows = Statement(
            "page_rows",
            "SELECT n::int8, \(name)::text, \(description)::text, now(), now() FROM generate_series(1, \(count)) AS n")
        let request = try PageRequest(
            try Request(.get, "/api/items?limit=\(limit)&order=\(order)\(cursor.map { "&cursor=\($0)" } ?? "")"))
        let page = try await Page(pool.query(rows), for: request)
        await pool.close(within: .milliseconds(1000))
        return page
    }

    private func text(_ page: Page) throws -> String {
        let conditions = try Preconditions(try Request(.get, "/"))
        return try page.answer(path: Array("/api/items".utf8), if: conditions).text
    }

    private func ids(_ page: Page) throws -> Int { try text(page).split(separator: #"{"id":"#).count - 1 }

    @Test func `has the requested number of rows, and the last one is where the next page begins`() async throws {
        let page = try await page(limit: 3, 4)
        #expect(try ids(page) == 3)
        #expect(page.next == Cursor(isBackward: false, id: 3))
        let last = try await self.page(limit: 3, order: "desc", 3)
        #expect(try ids(last) == 3)
        #expect(last.next == nil)
    }

    @Test func `has no more rows than fit into a page's bytes`() async throws {
        // Each of these characters takes six bytes in JSON.
        let page = try await page(limit: 40, 40, description: "repeat(chr(1), 30000)")
        #expect(try ids(page) == 5)
        #expect(page.next == Cursor(isBackward: false, id: 5))
        #expect(try text(page).utf8.count <= PageRequest.byteLimit + 1024)
    }

    @Test func `a single row longer than a page is a page, with a next one`() async throws {
        let page = try await page(limit: 40, 1, name: "repeat('x', 2000000)")
        #expect(try ids(page) == 1)
        #expect(page.next == Cursor(isBackward: false, id: 1))
    }

    @Test func `a first page has no previous one, and one that a cursor led to has one`() async throws {
        #expect(try await page(limit: 3, 4).previous == nil)
        let second = try await page(limit: 3, 4, cursor: "a0")
        #expect(second.previous == Cursor(isBackward: true, id: 1) && second.next == Cursor(isBackward: false, id: 3))
    }

    @Test func `an empty page leads back to where it was reached from`() async throws {
        let page = try await page(limit: 3, 0, cursor: "a7")
        #expect(page.next == nil && page.previous == Cursor(isBackward: true, id: 8))
        let descending = try await self.page(limit: 3, order: "desc", 0, cursor: "d7")
        #expect(descending.next == nil && descending.previous == Cursor(isBackward: true, id: 6))
        #expect(try await self.page(limit: 3, 0, cursor: "a9223372036854775807").previous == nil)
    }

    @Test func `a last row without texts is not part of the page`() async throws {
        let page = try await page(limit: 40, 3, name: "CASE WHEN n < 3 THEN 'a' END")
        #expect(try ids(page) == 2)
        #expect(page.next == Cursor(isBackward: false, id: 2))
    }
}
