import HTTP1
import HTTPTypes
import Postgres
import Testing
import Vial

@testable import Chassis
@testable import TestSupport

struct ProblemPagesTests {
    @Test(arguments: [
        nil, "*/*", "application/json", "text/html;q=0.5, application/json", "text/html;q=0, */*",
        "text/html, application/json", "",
    ])
    func `programs get JSON`(accept: String?) throws {
        #expect(!ProblemPages.prefersHTML(try Request(.get, "/", fields: accept.map { [("Accept", $0)] } ?? [])))
    }

    @Test(arguments: [
        "text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json;q=0.9, text/html", "TEXT/HTML ; q=1.0, application/json;q=0.999", "text/*",
    ])
    func `browsers get HTML`(accept: String) throws {
        #expect(ProblemPages.prefersHTML(try Request(.get, "/", fields: [("Accept", accept)])))
    }

    private static let service = Service(name: "notes", version: "1.0.0", summary: "") { _, _ in }

    @Test func `each type has a page in both forms`() async throws {
        try await withUnreachableDatabase(of: Self.service) { app, _ in
            for problem in Problem.all {
                let json = await app.respond(to: try Request(.get, "/problems/\(problem.name)"))
                #expect(json.status == .ok && json.text.contains("\"name\":\"\(problem.name)\""))
                let fields = [("Accept", "text/html")]
                let html = await app.respond(to: try Request(.get, "/problems/\(problem.name)", fields: fields))
                #expect(html.status == .ok && html.text.contains("<h1>\(problem.title)</h1>"))
                #expect(html.contentType?.description == "text/html; charset=utf-8")
                #expect(html.fields.value("Vary") == "Accept")
                #expect(problem.explanation.allSatisfy { !"<>&".contains($0) } && problem.explanation.contains(". "))
            }
            let other = await app.respond(to: try Request(.get, "/problems/other"))
            #expect(other.status == .notFound)
        }
    }

    @Test(arguments: [
        (DatabaseError.connectionLost, 503), (.deadlineExceeded, 504), (.unconfirmed, 504),
        (.server(.init(sqlState: "08P01", routine: nil)), 503),
    ])
    func `a write that may have happened has an unknown outcome, and a read is repeated`(
        error: DatabaseError, status: Int
    ) async throws {
        try await withUnreachableDatabase(of: Self.service) { app, _ in
            var app = app
            app.post("/fails", accepts: .any) { _ in throw error }
            app.get("/fails") { _ in throw error }
            let write = await app.respond(to: try Request(.post, "/fails"))
            #expect(write.status.code == status && write.text.contains(#""type":"/problems/outcome-unknown""#))
            #expect(write.fields.value("Retry-After") == nil)
            let keyed = await app.respond(to: try Request(.post, "/fails", fields: [("Idempotency-Key", "a")]))
            #expect(keyed.fields.value("Retry-After") == "1")
            let read = await app.respond(to: try Request(.get, "/fails"))
            #expect(read.text.contains(status == 503 ? "/problems/unavailable" : "about:blank"))
        }
    }

    @Test(arguments: [
        DatabaseError.unavailable, .waitTimedOut, .queueFull, .outOfMemory, .closing, .connectFailed("x"),
        .server(.init(sqlState: "40001", routine: nil)),
        .server(.init(sqlState: "57P01", routine: nil)),
    ])
    func `a write that has not happened is unavailable, and may be repeated`(error: DatabaseError) async throws {
        try await withUnreachableDatabase(of: Self.service) { app, _ in
            var app = app
            app.post("/fails", accepts: .any) { _ in throw error }
            let response = await app.respond(to: try Request(.post, "/fails"))
            #expect(
                response.status == .serviceUnavailable && response.text.contains(#""type":"/problems/unavailable""#))
            #expect(response.fields.value("Retry-After") == "1")
        }
    }
}
