import HTTP1
import Synchronization
import Vial

/// The service's OpenAPI document: made once for each base path, for all event loops.
final class ServiceDocument: Sendable {
    private let service: Service
    private let made = Mutex<[String: Document]>([:])

    init(of service: Service) {
        self.service = service
    }

    /// Adds `/openapi.json` to an app that has all other routes.
    func addRoute(to app: inout App) {
        let document = document(for: app)
        app.offer("application/json")
        app.get("/openapi.json") { try document.answer(to: $0) }
    }

    private func document(for app: App) -> Document {
        made.withLock { made in
            if let known = made[app.basePath] { return known }
            let bytes = APIDocument(title: service.name, version: service.version, summary: service.summary, of: app)
                .bytes
            let document = Document(
                bytes, contentType: "application/json", tag: EntityTag(hashing: bytes), fields: .ofDocument)
            made[app.basePath] = document
            return document
        }
    }
}

extension EntityTag {
    /// A tag of this content: half of its SHA-256.
    init(hashing content: [UInt8]) {
        let hash = sha256(content).prefix(16).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
        }
        self.init(hash.joined())
    }
}
