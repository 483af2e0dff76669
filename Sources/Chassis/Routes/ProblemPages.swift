import Formatting
import HTTPTypes
import Vial

/// The pages that explain the types of problems, for people and for programs.
enum ProblemPages {
    /// The page of one type: as HTML for a client that prefers it, as browsers do, else as JSON.
    ///
    /// - Throws: `HTTPError` 404 when there is no such type.
    static func answer(_ name: String, to request: Request) throws -> Answer {
        guard let problem = Problem.all.first(where: { $0.name == name }) else { throw HTTPError.nothingHere }
        let answer = try prefersHTML(request) ? html(problem) : json(problem)
        return try answer.field("Vary", "Accept").field("Cache-Control", "max-age=300")
    }

    private static func json(_ problem: Problem) -> Answer {
        .json { json in
            json.beginObject()
            json.key("name")
            json.value(problem.name)
            json.key("title")
            json.value(problem.title)
            json.key("explanation")
            json.value(problem.explanation)
            json.endObject()
        }
    }

    private static func html(_ problem: Problem) throws -> Answer {
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
        return try Answer(status: .ok, contentType: "text/html; charset=utf-8", body: Array(page.utf8))
            // The page has neither scripts nor styles.
            .field("Content-Security-Policy", "default-src 'none'")
    }

    static func prefersHTML(_ request: Request) -> Bool {
        request.weight(of: "text/html") > request.weight(of: "application/json")
    }
}
