/**
 * The Dockerfile → its targets as images in buildah's storage, built without an engine: buildah, with
 * a chroot in place of containers. Layers that nothing changed for are taken from the last build.
 */
import { baseImage, npmSettings, pinnedBase } from './base-image.ts';
import { ROOT, buildah } from './programs.ts';

export type Target = 'layer' | 'runtime' | 'test';

/** Only Debian's mirror and the npm registry are asked. */
const GH_DEBIAN = '2.46.0-3';

/** @returns the image's name in buildah's storage. */
export function buildImage(target: Target): string {
  const name = `localhost/mount-agent:${target}`;
  const values = [`BASE=${baseImage(pinnedBase())}`, `GH_DEBIAN=${GH_DEBIAN}`];
  const flags = ['--target', target, ...values.flatMap((value) => ['--build-arg', value])];
  buildFile(`${ROOT}Dockerfile`, ROOT, name, flags);
  return name;
}

export function buildFile(
  file: string,
  context: string,
  name: string,
  more: readonly string[] = [],
): void {
  const how = ['--isolation', 'chroot', '--layers', '--format', 'docker', '--network', 'host'];
  buildah(['build', '-q', ...how, ...npmSettings(), ...more, '-f', file, '-t', name, context], {
    isShown: true,
  });
}
