package staticfs

import "strings"

// defaultType is the type of files whose name tells nothing (nginx's distributed default_type).
const defaultType = "application/octet-stream"

// mediaTypes lists media types and their file name extensions, in the manner of nginx's mime.types.
// Text, JavaScript included (RFC 9239), is sent as UTF-8, which is what it is nowadays. JSON
// has no charset parameter (RFC 8259 section 11), XML and SVG declare theirs inside.
const mediaTypes = `
text/html                 html htm shtml
text/css                  css
text/javascript           js mjs cjs
text/plain                txt text log conf ini
text/csv                  csv
text/tab-separated-values tsv
text/markdown             md markdown
text/calendar             ics
text/vcard                vcf vcard
text/vtt                  vtt
text/mathml               mml
text/x-component          htc
text/vnd.wap.wml          wml
text/vnd.sun.j2me.app-descriptor jad
text/xml                  xml xsl

application/json          json map
application/geo+json      geojson
application/ld+json       jsonld
application/manifest+json webmanifest
application/atom+xml      atom
application/rss+xml       rss
application/xhtml+xml     xhtml xht
application/xslt+xml      xslt
application/xspf+xml      xspf
application/wasm          wasm
application/yaml          yaml yml
application/toml          toml
application/pdf           pdf
application/postscript    ps eps ai
application/rtf           rtf
application/epub+zip      epub
application/gzip          gz tgz
application/zip           zip
application/zstd          zst
application/x-bzip2       bz2
application/x-xz          xz
application/x-tar         tar
application/x-7z-compressed 7z
application/vnd.rar       rar
application/java-archive  jar war ear
application/mac-binhex40  hqx
application/msword        doc dot
application/vnd.ms-excel  xls
application/vnd.ms-powerpoint ppt
application/vnd.ms-fontobject eot
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.graphics odg
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/vnd.apple.mpegurl m3u8
application/dash+xml      mpd
application/x-java-jnlp-file jnlp
application/x-perl        pl pm
application/x-rpm         rpm
application/x-shockwave-flash swf
application/x-tcl         tcl tk
application/x-x509-ca-cert der pem crt
application/x-xpinstall   xpi
application/vnd.android.package-archive apk

font/collection           ttc
font/otf                  otf
font/ttf                  ttf
font/woff                 woff
font/woff2                woff2

image/apng                apng
image/avif                avif
image/bmp                 bmp
image/gif                 gif
image/heic                heic
image/jpeg                jpeg jpg jpe jfif
image/jxl                 jxl
image/png                 png
image/svg+xml             svg svgz
image/tiff                tif tiff
image/vnd.wap.wbmp        wbmp
image/webp                webp
image/x-icon              ico cur
image/x-jng               jng

audio/aac                 aac
audio/flac                flac
audio/midi                mid midi kar
audio/mpeg                mp3
audio/mp4                 m4a
audio/ogg                 ogg oga opus
audio/wav                 wav
audio/webm                weba
audio/x-realaudio         ra

model/gltf-binary         glb
model/gltf+json           gltf

video/3gpp                3gp 3gpp
video/mp2t                ts
video/mp4                 mp4 m4v
video/mpeg                mpeg mpg
video/ogg                 ogv
video/quicktime           mov
video/webm                webm
video/x-flv               flv
video/x-matroska          mkv
video/x-mng               mng
video/x-ms-asf            asx asf
video/x-ms-wmv            wmv
video/x-msvideo           avi
`

// parseTypes turns mediaTypes into a map from extension to Content-Type.
func parseTypes() map[string]string {
	types := make(map[string]string, 192)
	for line := range strings.Lines(mediaTypes) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		value := words[0]
		if strings.HasPrefix(value, "text/") && value != "text/xml" && value != "text/mathml" {
			value += "; charset=utf-8"
		}
		for _, ext := range words[1:] {
			types[ext] = value
		}
	}
	return types
}

// typeOf returns the Content-Type of a file by the last extension of its name, which may be of any case.
func typeOf(types map[string]string, name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || strings.IndexByte(name[i:], '/') >= 0 {
		return defaultType
	}
	if t, ok := types[strings.ToLower(name[i+1:])]; ok {
		return t
	}
	return defaultType
}
