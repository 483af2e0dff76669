import HTTP1
import Vial

/// The page that shows `/openapi.json` to people: operations, a form for each, and the request as a curl command. Three
/// files in the binary, which load nothing from elsewhere.
enum DocumentPage {
    /// The paths, below the base path.
    static var patterns: [String] { files.map(\.pattern) }

    private struct File {
        let pattern: String
        let mediaType: String
        let document: Document

        init(_ pattern: String, _ bytes: [UInt8], _ contentType: StaticString) {
            self.pattern = pattern
            mediaType = String("\(contentType)".prefix { $0 != ";" })
            document = Document(bytes, contentType: contentType, tag: EntityTag(hashing: bytes), fields: fields)
        }
    }

    private static let files = [
        File("/docs", PackageResources.docs_html, "text/html; charset=utf-8"),
        File("/docs/docs.css", PackageResources.docs_css, "text/css; charset=utf-8"),
        File("/docs/docs.js", PackageResources.docs_js, "text/javascript; charset=utf-8"),
    ]

    static func addRoutes(to app: inout App) {
        for file in files {
            app.offer(file.mediaType)
            app.get(file.pattern) { try file.document.answer(to: $0) }
        }
    }

    private static var fields: ResponseFields {
        var fields = ResponseFields.ofDocument
        // Nothing from other hosts, no script or style in the page, no text that is read as HTML, and no frame around it.
        fields.append(
            literal: "Content-Security-Policy",
            """
            default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
            form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'
            """)
        return fields
    }
}
