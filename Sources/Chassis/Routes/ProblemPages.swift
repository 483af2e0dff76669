import Formatting
import HTTPTypes
import Vial

/// The pages that explain the types of problems, for people and for programs.
enum ProblemPages {
    /// The page of one type, as HTML when `accept` prefers it, else as JSON.
    ///
    /// - Throws: `HTTPError` 404 when there is no such type.
    static func answer(_ name: String, accept: String?) throws -> Answer {
        guard let problem = Problem.all.first(where: { $0.name == name }) else { throw HTTPError.nothingHere }
        let answer = try prefersHTML(accept) ? html(problem) : json(problem)
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

    /// Whether a client prefers HTML, as browsers do: it names text/html, and JSON not with a higher weight (RFC 9110
    /// §12.5.1).
    static func prefersHTML(_ accept: String?) -> Bool {
        guard let accept else { return false }
        var (html, json) = (0.0, 0.0)
        for element in accept.split(separator: ",") {
            let parts = element.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let type = parts.first else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            switch type {
            case "text/html": html = max(html, weight)
            case "application/json", "application/problem+json": json = max(json, weight)
            default: continue
            }
        }
        return html > 0 && html >= json
    }
}
