import { expect, test } from 'vitest';
import { Parking } from '../../src/bridge/parking.ts';
import { ParkingSpace } from '../../src/bridge/parking-space.ts';

function parkings(max: number, all: number) {
  const heard: string[] = [];
  const space = new ParkingSpace(all);
  const observer = {
    waits: (route: string, change: number) => heard.push(`${route} ${change}`),
    became: (route: string, outcome: string) => heard.push(`${route} ${outcome}`),
  };
  const open = (route: string) => new Parking({ max, route, space, observer });
  return { one: open('one'), two: open('two'), heard };
}

test('those of two routes share what room there is', () => {
  const { one, two, heard } = parkings(5, 2);
  const leave = one.park();
  two.park();
  expect(one.park()).toBeUndefined();
  leave?.();
  expect(two.park()).toBeTypeOf('function');
  expect(two.park()).toBeUndefined();
  expect(heard).toEqual(['one 1', 'two 1', 'one full', 'one -1', 'two 1', 'two full']);
});

test('one route that is full leaves the room to the other', () => {
  const { one, two } = parkings(1, 2);
  one.park();
  expect(one.park()).toBeUndefined();
  expect(two.park()).toBeTypeOf('function');
});
