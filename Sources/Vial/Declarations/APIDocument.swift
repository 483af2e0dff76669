import HTTP1
import HTTPTypes

/// The OpenAPI 3.1 document of an app's declared operations. It is made once, at the start.
public struct APIDocument: Sendable {
    private let title: String
    private let version: String
    private let summary: String
    private let basePath: String
    private let operations: [Operation]

    /// - Parameters:
    ///   - title: of the service.
    ///   - summary: a sentence about it.
    ///   - app: with all its routes.
    public init(title: String, version: String, summary: String, of app: App) {
        self.title = title
        self.version = version
        self.summary = summary
        basePath = app.basePath
        operations = app.operations
    }

    /// The document's text.
    public var bytes: [UInt8] { json.bytes }

    var json: JSONValue {
        [
            "openapi": "3.1.1",
            "info": ["title": .string(title), "version": .string(version), "description": .string(summary)],
            "servers": [["url": .string(basePath.isEmpty ? "/" : basePath)]],
            "tags": .array(distinct(operations.map(\.tag)).map { ["name": .string($0)] }),
            "paths": .object(distinct(operations.map(\.pattern)).map { ($0, path($0)) }),
            "components": .object(components),
        ]
    }

    private func distinct(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    private func path(_ pattern: String) -> JSONValue {
        .object(
            operations.filter { $0.pattern == pattern }.map {
                ($0.method.name.description.lowercased(), $0.description(links: links(from: $0)))
            })
    }

    /// What can be done with the resource that an operation creates: the operations one segment below its path, with that
    /// segment from the answer.
    private func links(from creating: Operation) -> [(name: String, value: JSONValue)] {
        guard creating.success.hasLocation, let schema = creating.success.schema else { return [] }
        return operations.compactMap { operation in
            guard let last = operation.parameters.last, schema.hasMember(last.name),
                operation.pattern == creating.pattern + "/{\(last.name)}"
            else { return nil }
            var parameters: [(name: String, value: JSONValue)] = creating.parameters.map {
                ($0.name, .string("$request.path.\($0.name)"))
            }
            parameters.append((last.name, .string("$response.body#/\(last.name)")))
            return (
                operation.id, ["operationId": .string(operation.id), "parameters": .object(parameters)]
            )
        }
    }

    private var components: [(name: String, value: JSONValue)] {
        var components: [(name: String, value: JSONValue)] = [
            ("schemas", .object(schemas.map { ($0.name ?? "", .object($0.keywords)) })),
            ("responses", ["Problem": problemAnswer]),
            ("headers", ["RequestId": Self.requestID]),
        ]
        if operations.contains(where: { $0.traits.contains(.authenticated) }) {
            components.append(("securitySchemes", ["bearer": ["type": "http", "scheme": "bearer"]]))
        }
        return components
    }

    /// Every named schema once, also those that only others refer to.
    private var schemas: [Schema] {
        var found: [Schema] = []
        var waiting = operations.flatMap(\.schemas) + [problem]
        while !waiting.isEmpty {
            let schema = waiting.removeFirst()
            if let known = found.first(where: { $0.name == schema.name }) {
                precondition(
                    JSONValue.object(known.keywords).bytes == JSONValue.object(schema.keywords).bytes,
                    "two schemas are named '\(schema.name ?? "")'")
                continue
            }
            found.append(schema)
            waiting += schema.parts
        }
        return found
    }

    private static let requestID: JSONValue = [
        "description": "The request's identifier, also in the log.", "schema": ["type": "string"],
    ]

    private var problemAnswer: JSONValue {
        [
            "description": "The request was refused, or failed (RFC 9457).",
            "headers": ["X-Request-Id": ["$ref": "#/components/headers/RequestId"]],
            "content": [
                "application/problem+json": ["schema": problem.reference, "example": problem.example ?? .null]
            ],
        ]
    }

    private var problem: Schema {
        let fault = Schema.object(
            nil,
            [
                .required("pointer", .string(example: "/name")), .required("field", .string(example: "name")),
                .required("message", .string(example: "is required")),
            ], isClosed: false)
        return .object(
            "Problem",
            [
                .required("type", problemType), .required("title", .string(example: "Unprocessable Content")),
                .required("status", .integer(400...599, example: 422)),
                .required("detail", .string(example: "The body breaks a rule.")),
                .required("instance", .string(example: "/api")),
                .required("request_id", .string(example: "ee3521d7265b43a2f3dc42455fbd3dc8")),
                .optional("errors", .array(of: fault)),
            ])
    }

    /// Not an enumeration: a client generated from one would fail at a type that is added later.
    private var problemType: Schema {
        let paths = Problem.all.map { $0.path(under: basePath) }
        return Schema.string(format: "uri-reference", example: Problem.validation.path(under: basePath))
            .with(
                "description",
                .string(
                    "about:blank when the status says everything, otherwise the path of a page that explains the type, "
                        + "among them \(paths.joined(separator: ", "))."))
    }
}

extension Operation {
    /// The named schemas that it refers to.
    fileprivate var schemas: [Schema] {
        (query + parameters).flatMap(\.schema.named) + (body?.schema.named ?? []) + (success.schema?.named ?? [])
    }

    /// The operation object.
    ///
    /// - Parameter links: of its successful answer.
    fileprivate func description(links: [(name: String, value: JSONValue)]) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = [
            ("operationId", .string(id)), ("summary", .string(summary)), ("tags", [.string(tag)]),
        ]
        let fields = traits.flatMap { $0.requestFields(isRead: isRead) }
        let all =
            parameters.map { parameter($0, in: "path") } + query.map { parameter($0, in: "query") }
            + fields.map {
                parameter(.init(name: $0.name, schema: $0.schema, isRequired: false), in: "header", $0.description)
            }
        if !all.isEmpty { members.append(("parameters", .array(all))) }
        if let body {
            members.append(
                (
                    "requestBody",
                    ["required": true, "content": .object([(body.mediaType, content(of: body.schema))])]
                ))
        }
        members.append(("responses", .object(answers(links: links))))
        if traits.contains(.authenticated) { members.append(("security", [["bearer": []]])) }
        return .object(members)
    }

    private func parameter(_ property: Schema.Property, in place: String, _ description: String? = nil) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = [("name", .string(property.name)), ("in", .string(place))]
        if let description { members.append(("description", .string(description))) }
        if property.isRequired { members.append(("required", true)) }
        members.append(("schema", property.schema.reference))
        if let example = property.schema.example { members.append(("example", example)) }
        return .object(members)
    }

    private func content(of schema: Schema) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = [("schema", schema.reference)]
        if let example = schema.example { members.append(("example", example)) }
        return .object(members)
    }

    private func answers(links: [(name: String, value: JSONValue)]) -> [(name: String, value: JSONValue)] {
        let problem: JSONValue = ["$ref": "#/components/responses/Problem"]
        var statuses = traits.flatMap { $0.statuses(isRead: isRead) }
        if success.isOptional { statuses.append(404) }
        if !query.isEmpty { statuses.append(400) }
        if body != nil { statuses += [400, 415, 422] }
        var answers: [(name: String, value: JSONValue)] = [(String(success.status.code), successAnswer(links: links))]
        for status in Set(statuses).sorted() where status != success.status.code {
            let bare: JSONValue = ["description": .string(HTTPResponse.Status(code: status).known.reasonPhrase)]
            answers.append((String(status), status < 400 ? bare : problem))
        }
        for status in alike {
            answers.append((String(status.code), successAnswer(links: [], status: status)))
        }
        answers.append(("default", problem))
        return answers
    }

    private func successAnswer(
        links: [(name: String, value: JSONValue)], status: HTTPResponse.Status? = nil
    ) -> JSONValue {
        var fields: [(name: String, value: JSONValue)] = [
            ("X-Request-Id", ["$ref": "#/components/headers/RequestId"])
        ]
        if success.hasLocation {
            fields.append(
                ("Location", ["description": "The path of the new resource.", "schema": ["type": "string"]]))
        }
        for field in traits.flatMap({ $0.answerFields(isRead: isRead) }) {
            fields.append(
                (field.name, ["description": .string(field.description), "schema": field.schema.reference]))
        }
        var members: [(name: String, value: JSONValue)] = [
            ("description", .string((status ?? success.status).reasonPhrase)), ("headers", .object(fields)),
        ]
        if let schema = success.schema {
            members.append(("content", .object([(success.mediaType, content(of: schema))])))
        }
        if !links.isEmpty { members.append(("links", .object(links))) }
        return .object(members)
    }
}

extension HTTPResponse.Status {
    /// The same with its reason phrase, for those that traits name.
    fileprivate var known: HTTPResponse.Status {
        switch code {
        case 204: .noContent
        case 304: .notModified
        default: self
        }
    }
}
