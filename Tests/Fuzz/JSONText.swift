import FoundationEssentials
import HTTP1
import HTTPTypes

@testable import Vial

/// A request body of any bytes: refused with a response, or accepted by another JSON parser too.
func tryJSON(_ input: Input) {
    let request = Request()
    request.body = input.wire
    request.requestIDBytes = Array("fuzz".utf8)
    do {
        _ = try request.json(AnyJSON.self)
    } catch let error as HTTPError {
        let answer = error.response(to: request, under: "")
        do throws(JSONSyntax.Fault) { try JSONSyntax.check(answer.body) } catch {
            fatalError("broken invariant: an answer's body is JSON: \(error.description(in: answer.body))")
        }
        require(error.status == .badRequest, "what the syntax check accepts, the decoder accepts too: \(error.detail)")
        return
    } catch {
        fatalError("broken invariant: a body is refused with an HTTPError, not \(error)")
    }
    guard let first = input.wire.first(where: { $0 > 0x20 }), first == 0x7B || first == 0x5B else { return }
    // An opening bracket must be closed, so no prefix that ends before that is complete.
    let end = input.wire.lastIndex { $0 > 0x20 } ?? 0
    var splits = input.splits
    let cut = splits.next(remaining: end + 1, total: 0) - 1
    let prefix = Array(input.wire[..<cut])
    do throws(JSONSyntax.Fault) {
        try JSONSyntax.check(prefix)
        fatalError("broken invariant: no prefix of a JSON text is accepted")
    } catch {}
}

/// Any JSON value except for its numbers, which may exceed any type.
private struct AnyJSON: Decodable {
    private struct Key: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        if let object = try? decoder.container(keyedBy: Key.self) {
            for key in object.allKeys { _ = try object.decode(AnyJSON.self, forKey: key) }
        } else if var array = try? decoder.unkeyedContainer() {
            while !array.isAtEnd { _ = try array.decode(AnyJSON.self) }
        } else {
            let value = try decoder.singleValueContainer()
            _ = try? value.decode(String.self)
        }
    }
}
