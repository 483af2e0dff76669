import HTTP1
import HTTPTypes
import Synchronization
import Vial

/// The service's OpenAPI document: made once for each base path, for all event loops.
final class ServiceDocument: Sendable {
    private let service: Service
    private let made = Mutex<[String: Response]>([:])

    init(of service: Service) {
        self.service = service
    }

    /// The answer of `/openapi.json`.
    ///
    /// - Parameter app: with all routes.
    func response(for app: App) -> Response {
        made.withLock { made in
            if let known = made[app.basePath] { return known }
            let document = APIDocument(
                title: service.name, version: service.version, summary: service.summary, of: app)
            var response = Response(status: .ok, contentType: "application/json", body: document.bytes)
            response.fields.append(literal: "Cache-Control", "max-age=300")
            made[app.basePath] = response
            return response
        }
    }
}
