import Formatting
import HTTP1
import Vial

/// Where programs find the service's document, its page and its health: the catalog of RFC 9727, and the links of `/`, with
/// the relations of RFC 8631.
struct APICatalog {
    static let pattern = "/.well-known/api-catalog"

    private struct Link {
        let relation: StaticString
        let path: String
        let type: StaticString
    }

    private static let links = [
        Link(relation: "service-desc", path: "/openapi.json", type: "application/json"),
        Link(relation: "service-doc", path: "/docs", type: "text/html"),
        Link(relation: "status", path: "/health", type: "application/json"),
    ]

    /// Prefix of the port's paths.
    let basePath: String

    /// The field `Link` of `/`.
    var rootFields: ResponseFields {
        let described = Self.links.filter { $0.path != "/health" }.map { link in
            "<\(basePath)\(link.path)>; rel=\"\(link.relation)\"; type=\"\(link.type)\""
        }
        return Self.fields(described + [catalogLink])
    }

    /// A set of links (RFC 9264) from the API to its description.
    var document: Document {
        var json = JSONWriter()
        json.beginObject()
        json.key("linkset")
        json.beginArray()
        json.beginObject()
        json.key("anchor")
        json.value(basePath.isEmpty ? "/" : basePath)
        for link in Self.links {
            json.key(link.relation)
            json.beginArray()
            json.beginObject()
            json.key("href")
            json.value(basePath + link.path)
            json.key("type")
            json.value("\(link.type)")
            json.endObject()
            json.endArray()
        }
        json.endObject()
        json.endArray()
        json.endObject()
        var fields = Self.fields([catalogLink])
        fields.append(.ofDocument)
        return Document(
            json.bytes, contentType: "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"",
            tag: EntityTag(hashing: json.bytes), fields: fields)
    }

    private var catalogLink: String { "<\(basePath)\(Self.pattern)>; rel=\"api-catalog\"" }

    private static func fields(_ links: [String]) -> ResponseFields {
        var fields = ResponseFields()
        do { try fields.append("Link", links.joined(separator: ", ")) } catch {
            fatalError("the links of a base path are no valid field: \(error)")
        }
        return fields
    }
}
