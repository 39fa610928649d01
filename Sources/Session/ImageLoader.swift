import Foundation
import PC
import Trace

/// Finds the images of a trace: in the trace itself, or by their digests among files.
enum ImageLoader {
  static func images(of reader: TraceReader, paths: [String]) throws -> MachineImages {
    var images = MachineImages()
    for image in reader.header.images {
      let bytes: [UInt8]
      if image.embedded {
        do { bytes = [UInt8](try reader.readImage(image.role)) } catch let error as TraceError {
          // A recorder that died early leaves images without end.
          if reader.isCutOff, reader.summary == nil { throw SessionError.cutOffInImages(path: reader.path) }
          throw error
        }
      } else {
        bytes = try find(image, in: paths + [image.name], path: reader.path)
      }
      switch image.role {
      case "kernel": images.kernel = bytes
      case "bios": images.bios = bytes
      case "vga-rom": images.vgaROM = bytes
      case "kernel-rom":
        images.kernelROM = (name: image.name, bytes: bytes)
      default:
        images.initrds.append((name: image.name, bytes: bytes))
      }
    }
    return images
  }

  /// The first file with the image's digest.
  private static func find(_ image: TraceImage, in paths: [String], path: String) throws -> [UInt8] {
    for candidate in paths {
      guard let data = try? Data(contentsOf: URL(fileURLWithPath: candidate), options: .mappedIfSafe),
        UInt64(data.count) == image.size, SHA256.hexadecimal(SHA256.hash(data)) == image.sha256
      else { continue }
      return [UInt8](data)
    }
    throw SessionError.missingImage(path: path, name: image.name, role: image.role, sha256: image.sha256)
  }
}
