import HTTPTypes
import Synchronization
import Vial

/// The service's OpenAPI document: made once for each base path, for all event loops.
final class ServiceDocument: Sendable {
    /// A document and its entity tag.
    private struct Text {
        let bytes: [UInt8]
        let tag: EntityTag
    }

    private let service: Service
    private let made = Mutex<[String: Text]>([:])

    init(of service: Service) {
        self.service = service
    }

    /// Adds `/openapi.json` to an app that has all other routes.
    func addRoute(to app: inout App) {
        let text = text(for: app)
        app.offer("application/json")
        app.get("/openapi.json") { request in
            try .tagged(text.tag, if: Preconditions(request)) {
                Answer(status: .ok, contentType: "application/json", body: text.bytes)
            }
        }
    }

    private func text(for app: App) -> Text {
        made.withLock { made in
            if let known = made[app.basePath] { return known }
            let bytes = APIDocument(title: service.name, version: service.version, summary: service.summary, of: app)
                .bytes
            let tag = sha256(bytes).prefix(16).map { byte in
                String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
            }.joined()
            let text = Text(bytes: bytes, tag: EntityTag(tag))
            made[app.basePath] = text
            return text
        }
    }
}
