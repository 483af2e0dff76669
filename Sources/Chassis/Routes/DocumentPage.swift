import HTTP1
import HTTPTypes
import Vial

/// The page that shows `/openapi.json` to people: operations, a form for each, and the request as a curl command. Three
/// files in the binary, which load nothing from elsewhere.
enum DocumentPage {
    /// The paths, below the base path.
    static var patterns: [String] { files.map(\.pattern) }

    private struct File {
        let pattern: String
        let contentType: StaticString
        let bytes: [UInt8]
    }

    private static let files = [
        File(pattern: "/docs", contentType: "text/html; charset=utf-8", bytes: PackageResources.docs_html),
        File(pattern: "/docs/docs.css", contentType: "text/css; charset=utf-8", bytes: PackageResources.docs_css),
        File(pattern: "/docs/docs.js", contentType: "text/javascript; charset=utf-8", bytes: PackageResources.docs_js),
    ]

    static func addRoutes(to app: inout App) {
        for file in files {
            let response = response(file)
            app.offer(String("\(file.contentType)".prefix { $0 != ";" }))
            app.get(file.pattern) { _ in Answer(response) }
        }
    }

    private static func response(_ file: File) -> Response {
        var response = Response(status: .ok, contentType: file.contentType, body: file.bytes)
        response.fields.append(literal: "Cache-Control", "max-age=300")
        response.fields.append(literal: "X-Content-Type-Options", "nosniff")
        // Nothing from other hosts, no script or style in the page, no text that is read as HTML, and no frame around it.
        response.fields.append(
            literal: "Content-Security-Policy",
            """
            default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
            form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'
            """)
        return response
    }
}
