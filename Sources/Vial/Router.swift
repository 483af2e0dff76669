import Formatting
import HTTP1

/// A registered pattern, shared by its methods.
public final class Route: Sendable {
    /// As registered, without the base path: `/api/orders/{id}`.
    public let pattern: String
    /// The pattern as bytes: ASCII that needs no escape in JSON.
    public let patternBytes: [UInt8]
    /// Consecutive numbers from 0, in registration order.
    public let ordinal: Int

    init(pattern: String, ordinal: Int) {
        self.pattern = pattern
        patternBytes = Array(pattern.utf8)
        self.ordinal = ordinal
    }
}

/// The positions of parameters in a path. Registration refuses a pattern with more than `limit`.
struct Captures {
    static let limit = 8
    // A head is smaller than 4 GiB.
    private var bounds = InlineArray<8, (start: UInt32, end: UInt32)>(repeating: (0, 0))
    private(set) var count = 0

    subscript(index: Int) -> Range<Int> { Int(bounds[index].start)..<Int(bounds[index].end) }

    mutating func append(_ range: Range<Int>) {
        bounds[count] = (UInt32(range.lowerBound), UInt32(range.upperBound))
        count += 1
    }

    mutating func removeAll() {
        count = 0
    }
}

/// Patterns as a tree of segments. A literal takes precedence over a parameter. Paths are matched as sent: empty
/// segments and dot segments match nothing, so a handler never sees another path than the router did.
struct Router {
    private struct Node {
        var literals: [(bytes: [UInt8], node: Int)] = []
        var parameter: Int?
        var route: Route?
        var targets: [(method: KnownMethod, target: Target)] = []
    }

    /// The handler of a route and method. An object, so that a request retains one reference instead of the members.
    final class Target: Sendable {
        let handler: Handler
        let hooks: [Hook]
        /// The required content of the body; `.any` for methods without a body.
        let content: App.Content
        /// Media types of the answer; empty for any.
        let offered: [String]

        init(handler: @escaping Handler, hooks: [Hook], content: App.Content, offered: [String] = []) {
            self.handler = handler
            self.hooks = hooks
            self.content = content
            self.offered = offered
        }
    }

    enum Match {
        case target(Target)
        case notFound
        /// The path is known, the method is not; `allow` is the value of the Allow field, and `takesMergePatch` says
        /// whether a PATCH of the path takes `App.Content.mergePatch`.
        case methodNotAllowed(allow: String, takesMergePatch: Bool)
    }

    private var nodes = [Node()]
    /// The node of the pattern "/".
    private var root: Int?
    private(set) var routes: [Route] = []

    /// - Parameters:
    ///   - pattern: begins with `/`; a segment in braces is a parameter.
    ///   - base: prefix in the tree, but not in the route's name.
    mutating func add(_ method: KnownMethod, _ pattern: String, base: String, _ target: Target) {
        precondition(pattern.hasPrefix("/"), "pattern \(pattern) does not begin with a slash")
        precondition(
            pattern == "/" || !pattern.hasSuffix("/"), "pattern \(pattern) ends with a slash")
        precondition(
            pattern.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C },
            "pattern \(pattern) is not plain ASCII")
        var index = 0
        var parameters = 0
        for segment in (base + pattern).split(separator: "/", omittingEmptySubsequences: true) {
            if segment.hasPrefix("{") {
                precondition(segment.hasSuffix("}"), "pattern \(pattern) has a brace that does not close")
                parameters += 1
                precondition(parameters <= Captures.limit, "pattern \(pattern) has too many parameters")
                if nodes[index].parameter == nil { nodes[index].parameter = addNode() }
                index = nodes[index].parameter ?? index
            } else {
                let bytes = Array(segment.utf8)
                if let known = nodes[index].literals.first(where: { $0.bytes == bytes }) {
                    index = known.node
                } else {
                    let node = addNode()
                    nodes[index].literals.append((bytes, node))
                    index = node
                }
            }
        }
        if pattern == "/" { root = index }
        precondition(
            !nodes[index].targets.contains { $0.method == method }, "\(method) \(pattern) is registered twice")
        if nodes[index].route == nil {
            let known = routes.first { $0.pattern == pattern }
            let route = known ?? Route(pattern: pattern, ordinal: routes.count)
            if known == nil { routes.append(route) }
            nodes[index].route = route
        }
        nodes[index].targets.append((method, target))
    }

    private mutating func addNode() -> Int {
        nodes.append(Node())
        return nodes.count - 1
    }

    /// Finds the target of a request and sets the request's route and captures.
    func match(_ request: Request, _ method: KnownMethod) -> Match {
        request.captures.removeAll()
        let path = request.head.path
        // Borrowed, as below: a copy of an element would retain its contents.
        let nodes = nodes.span
        guard let index = find(request, path), let route = nodes[index].route else {
            request.route = nil
            return .notFound
        }
        // The object served an earlier request, most often for the same route.
        if request.route !== route { request.route = route }
        // HEAD is a GET without the body, RFC 9110 §9.3.2.
        let method = method == .head ? .get : method
        let targets = nodes[index].targets.span
        for position in targets.indices where targets[position].method == method {
            return .target(targets[position].target)
        }
        return .methodNotAllowed(
            allow: Self.allow(nodes[index].targets.map(\.method)),
            takesMergePatch: nodes[index].targets.contains { $0.target.content == .mergePatch })
    }

    private func find(_ request: Request, _ path: Range<Int>) -> Int? {
        var index = 0
        var start = path.lowerBound + 1
        // In absolute form an empty path means "/".
        if start >= path.upperBound { return index }
        let isEncoded = request.head.pathHasPercent
        let bytes = request.head.bytes
        while start <= path.upperBound {
            var end = start
            while end < path.upperBound && bytes[end] != UInt8(ascii: "/") { end += 1 }
            // The root under a base path matches with and without its trailing slash.
            guard end > start else { return end == path.upperBound && index == root ? index : nil }
            let next: Int?
            if isEncoded {
                guard let decoded = try? PercentEncoding.decodeSegment(bytes.span.extracting(start..<end)) else {
                    return nil
                }
                next = child(of: index, Array(decoded.utf8).span)
            } else {
                next = child(of: index, bytes.span.extracting(start..<end))
            }
            guard let next else { return nil }
            if nodes[index].parameter == next { request.captures.append(start..<end) }
            index = next
            start = end + 1
        }
        return index
    }

    private func child(of index: Int, _ segment: Span<UInt8>) -> Int? {
        let nodes = nodes.span
        let literals = nodes[index].literals.span
        for position in literals.indices where literals[position].bytes.span.equals(segment) {
            return literals[position].node
        }
        let isDots = segment[0] == 0x2E && (segment.count == 1 || segment.count == 2 && segment[1] == 0x2E)
        return isDots ? nil : nodes[index].parameter
    }

    /// The Allow value for `OPTIONS *`: the methods of all routes.
    var allow: String { Self.allow(nodes.flatMap(\.targets).map(\.method)) }

    /// The methods, plus HEAD where there is GET, plus OPTIONS; each once and in a fixed order.
    private static func allow(_ methods: [KnownMethod]) -> String {
        KnownMethod.allCases.filter { method in
            switch method {
            case .head: methods.contains(.get)
            case .options: true
            default: methods.contains(method)
            }
        }.map(\.name.description).joined(separator: ", ")
    }
}
