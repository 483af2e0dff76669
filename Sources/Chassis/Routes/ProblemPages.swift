import Formatting
import HTTP1
import HTTPTypes
import Vial

/// The pages that explain the types of problems, for people and for programs.
enum ProblemPages {
    private struct Page {
        let json: Document
        let html: Document
    }

    private static let pages: [String: Page] = .init(
        uniqueKeysWithValues: Problem.all.map { ($0.name, Page(json: json($0), html: html($0))) })

    /// The page of one type: as HTML for a client that prefers it, as browsers do, else as JSON.
    ///
    /// - Throws: `HTTPError` 404 when there is no such type, and those of `Document.answer`.
    static func answer(_ name: String, to request: Request) throws -> Answer {
        guard let page = pages[name] else { throw HTTPError.nothingHere }
        return try (prefersHTML(request) ? page.html : page.json).answer(to: request)
    }

    private static func json(_ problem: Problem) -> Document {
        var json = JSONWriter()
        json.beginObject()
        json.key("name")
        json.value(problem.name)
        json.key("title")
        json.value(problem.title)
        json.key("explanation")
        json.value(problem.explanation)
        json.endObject()
        return document(json.bytes, "application/json", fields)
    }

    private static func html(_ problem: Problem) -> Document {
        // The texts are constants of this program, without characters that HTML would need escaped.
        let page = """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>\(problem.title)</title>
            <h1>\(problem.title)</h1>
            <p>\(problem.explanation)</p>
            </html>

            """
        var fields = fields
        // The page has neither scripts nor styles.
        fields.append(literal: "Content-Security-Policy", "default-src 'none'")
        return document(Array(page.utf8), "text/html; charset=utf-8", fields)
    }

    private static func document(_ bytes: [UInt8], _ contentType: StaticString, _ fields: ResponseFields) -> Document {
        Document(bytes, contentType: contentType, tag: EntityTag(hashing: bytes), fields: fields)
    }

    private static var fields: ResponseFields {
        var fields = ResponseFields.ofDocument
        fields.append(literal: "Vary", "Accept")
        return fields
    }

    static func prefersHTML(_ request: Request) -> Bool {
        request.weight(of: "text/html") > request.weight(of: "application/json")
    }
}
